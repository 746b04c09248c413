import { z } from 'zod';
import type { Channel } from '../../contract.ts';
import { unusedCredential } from '../../credentials.ts';
import { numberSchema, smsChannel } from '../common.ts';
import { parse, verify } from './inbound.ts';
import { fetchMedia, send } from './outbound.ts';

/** A provider that needs no account anywhere (spec section 4.3). */
export const sandbox: Channel = {
  ...smsChannel,
  id: 'sms/sandbox',
  credentials: z.object({
    secret: unusedCredential,
    token: unusedCredential,
    providerData: z.strictObject({ provider: z.literal('sandbox'), number: numberSchema }),
  }),
  limits: { maxTextLength: 1600, maxMedias: 10, maxSegments: null },
  policy: { idempotent: true, receiptWaitMs: 0 },
  verdicts: { optOut: [], windowClosed: [] },
  window: null,
  verify,
  parse,
  acknowledgement: { status: 200, contentType: null, body: null },
  send,
  fetchMedia,
};
