import { z } from 'zod';
import { address } from '../../domain/addresses.ts';
import { MAX_MEDIAS, MAX_TEXT_LENGTH } from '../../domain/content.ts';
import { err } from '../../domain/result.ts';
import { MINUTE } from '../../domain/time.ts';
import type { Channel } from '../contract.ts';
import { providerText, unusedCredential } from '../credentials.ts';
import { MAX_FILES_BYTES, send } from './outbound.ts';

/** The reply address is `<local part>+<token>@…`: a local part has 64 characters, and the token takes 39 of them. */
const MAX_LOCAL_PART = 24;

const addressSchema = z
  .string({ error: 'is required' })
  .trim()
  .toLowerCase()
  .pipe(z.email('must be an e-mail address').max(254))
  .refine((text) => !text.includes('+'), 'must have no plus sign: what follows one leads to a conversation')
  .refine(
    (text) => text.indexOf('@') <= MAX_LOCAL_PART,
    `must have at most ${MAX_LOCAL_PART} characters before the @: answers carry a token there`,
  );

/**
 * E-mail, in through Cloudflare's Email Routing (http/hooks/receive-mail.ts) and out through its `send_email` binding: the address is one of
 * a domain on the company's own Cloudflare account, so there is nothing to sign and no secret.
 */
export const email: Channel = {
  id: 'email',
  accountType: 'email',
  conversationType: 'email',
  label: 'E-mail',
  credentials: z.object({
    secret: unusedCredential,
    token: unusedCredential,
    providerData: z.strictObject({ address: addressSchema }),
  }),
  limits: { maxTextLength: MAX_TEXT_LENGTH, maxMedias: MAX_MEDIAS, maxSegments: null },
  // The binding knows no idempotency key, and nobody reports that a mail was taken.
  policy: { idempotent: false, receiptWaitMs: MINUTE },
  verdicts: { optOut: ['E_RECIPIENT_SUPPRESSED'], windowClosed: [] },
  window: null,
  self(account) {
    const own = providerText(account, 'address');
    return { address: address('email', own), key: own };
  },
  segments: () => null,
  verify: () => Promise.resolve(false),
  parse: () => err('mails do not come by this way'),
  acknowledgement: { status: 200, contentType: null, body: null },
  maxFilesBytes: MAX_FILES_BYTES,
  send,
  // Its files are kept before the message is.
  fetchMedia: () => Promise.resolve(new Response(null, { status: 404 })),
};
