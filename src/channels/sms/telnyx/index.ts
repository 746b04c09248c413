import { z } from 'zod';
import { MINUTE } from '../../../domain/time.ts';
import type { Channel } from '../../contract.ts';
import { credentialSchema } from '../../credentials.ts';
import { fromBase64 } from '../../encoding.ts';
import { numberSchema, smsChannel } from '../common.ts';
import { parse } from './inbound.ts';
import { fetchMedia, send } from './outbound.ts';
import { PUBLIC_KEY_BYTES, verify } from './signature.ts';

/** Telnyx Messaging: `secret` is the account's public key, `token` the API key. */
export const telnyx: Channel = {
  ...smsChannel,
  id: 'sms/telnyx',
  credentials: z.object({
    secret: credentialSchema.refine((text) => fromBase64(text)?.length === PUBLIC_KEY_BYTES, {
      error: 'must be the base64 text of a 32-byte ed25519 public key',
    }),
    token: credentialSchema,
    providerData: z.strictObject({ provider: z.literal('telnyx'), number: numberSchema }),
  }),
  // Telnyx refuses more than 10 segments (error 40302): 1,530 characters of GSM-7, 670 of UCS-2.
  limits: { maxTextLength: 1530, maxMedias: 10, maxSegments: 10 },
  // No idempotency key either: the finalized event is what tells an accepted message after a lost answer.
  policy: { idempotent: false, receiptWaitMs: MINUTE },
  // "Blocked due to STOP message" (developers.telnyx.com, messaging error codes).
  verdicts: { optOut: ['40300'], windowClosed: [] },
  window: null,
  verify,
  parse,
  acknowledgement: { status: 200, contentType: null, body: null },
  send,
  linksExpire: true,
  fetchMedia,
};
