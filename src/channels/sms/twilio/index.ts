import { z } from 'zod';
import { MINUTE } from '../../../domain/time.ts';
import type { Channel } from '../../contract.ts';
import { credentialSchema, unusedCredential } from '../../credentials.ts';
import { numberSchema, smsChannel } from '../common.ts';
import { parse } from './inbound.ts';
import { fetchMedia, send } from './outbound.ts';
import { verify } from './signature.ts';

const MEGABYTE = 1024 * 1024;

/** Twilio Messaging: `token` is the auth token. */
export const twilio: Channel = {
  ...smsChannel,
  id: 'sms/twilio',
  credentials: z.object({
    secret: unusedCredential,
    token: credentialSchema,
    providerData: z.strictObject({
      provider: z.literal('twilio'),
      account_sid: z
        .string({ error: 'is required' })
        .regex(/^AC[0-9a-fA-F]{32}$/, 'must be AC and 32 hexadecimal digits'),
      number: numberSchema,
    }),
  }),
  // The Messages resource: `Body` up to 1,600 characters, up to 10 `MediaUrl`.
  limits: { maxTextLength: 1600, maxMedias: 10, maxSegments: null },
  // The API takes no idempotency key; the status callback is what tells an accepted message after a lost answer.
  policy: { idempotent: false, receiptWaitMs: MINUTE },
  // "Attempt to send to unsubscribed recipient" (twilio.com/docs/api/errors/21610).
  // Twilio's "MediaUrl": 5 MB of JPEG, PNG and GIF, 500 KB of everything else, which it finds out after it has accepted the message.
  maxFileBytes: (type) => (/^image\/(jpeg|png|gif)$/.test(type) ? 5 * MEGABYTE : MEGABYTE / 2),
  maxFilesBytes: 5 * MEGABYTE,
  verdicts: { optOut: ['21610'], windowClosed: [] },
  window: null,
  verify,
  parse,
  acknowledgement: { status: 200, contentType: 'text/xml', body: '<Response></Response>' },
  send,
  fetchMedia,
};
