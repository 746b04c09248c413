import { z } from 'zod';
import { address } from '../../domain/addresses.ts';
import type { Channel } from '../contract.ts';
import { credentialSchema } from '../credentials.ts';
import { parse, verify } from './inbound.ts';
import { fetchMedia, MAX_MESSAGES, MAX_TEXT, send } from './outbound.ts';

const MEGABYTE = 1024 * 1024;

/** LINE Messaging API: `secret` is the channel secret, `token` the channel access token. */
export const line: Channel = {
  id: 'line',
  accountType: 'line',
  conversationType: 'line',
  label: 'LINE',
  credentials: z.object({
    secret: credentialSchema,
    token: credentialSchema,
    providerData: z.strictObject({}).default({}),
  }),
  limits: { maxTextLength: MAX_TEXT, maxMedias: MAX_MESSAGES - 1, maxSegments: null },
  // The retry key makes LINE drop a repeat (developers.line.biz, "Retry failed API requests").
  policy: { idempotent: true, receiptWaitMs: 0 },
  // LINE fetches files itself, after it has accepted the message (Messaging API reference, "Message objects").
  maxFileBytes: (type) =>
    type.startsWith('image/') ? 10 * MEGABYTE : /^(video|audio)\//.test(type) ? 200 * MEGABYTE : null,
  verdicts: { optOut: [], windowClosed: [] },
  window: null,
  // LINE never tells the account's own id before the first event: seed 000 shows an empty target named "me".
  self: (account) => ({ address: address('line', '', 'me'), key: account.id }),
  segments: () => null,
  verify,
  parse,
  acknowledgement: { status: 200, contentType: null, body: null },
  send,
  fetchMedia,
};
