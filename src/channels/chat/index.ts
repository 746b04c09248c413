import { z } from 'zod';
import { address } from '../../domain/addresses.ts';
import { MAX_MEDIAS, MAX_TEXT_LENGTH } from '../../domain/content.ts';
import { err } from '../../domain/result.ts';
import type { Channel } from '../contract.ts';
import { unusedCredential } from '../credentials.ts';

/** `https://shop.example.com`, or `*` for every page. */
const originSchema = z
  .string()
  .max(255)
  .refine((text) => text === '*' || isOrigin(text), 'must be an origin, such as https://shop.example.com');

const isOrigin = (text: string): boolean =>
  /^https?:\/\//.test(text) && URL.canParse(text) && new URL(text).origin === text;

/**
 * The web chat: the widget on the customer's own pages. `secret`, where it is set, signs what the site says of who its visitor is
 * (security/identity-token.ts). Visitors come by http/chat/, and read the conversation's own log: no provider stands between.
 */
export const chat: Channel = {
  id: 'chat',
  accountType: 'chat',
  conversationType: 'chat',
  label: 'Chat',
  credentials: z.object({
    secret: z
      .string()
      .max(1000)
      .refine((text) => text === '' || text.length >= 32, 'must have at least 32 characters, or none')
      .default(''),
    token: unusedCredential,
    providerData: z.strictObject({ allowed_origins: z.array(originSchema).min(1, 'is required').max(50) }),
  }),
  limits: { maxTextLength: MAX_TEXT_LENGTH, maxMedias: MAX_MEDIAS, maxSegments: null },
  policy: { idempotent: true, receiptWaitMs: 0 },
  verdicts: { optOut: [], windowClosed: [] },
  window: null,
  self: ({ id }) => ({ address: address('chat', id), key: id }),
  segments: () => null,
  verify: () => Promise.resolve(false),
  parse: () => err('visitors do not come by this way'),
  acknowledgement: { status: 200, contentType: null, body: null },
  // Where the visitor reads it, it is with its commit (readsFromLog in domain/conversation/decide-message.ts).
  send: () => Promise.resolve({ kind: 'accepted', providerId: '' }),
  fetchMedia: () => Promise.resolve(new Response(null, { status: 404 })),
};
