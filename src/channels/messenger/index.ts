import { z } from 'zod';
import { address } from '../../domain/addresses.ts';
import { DAY, MINUTE } from '../../domain/time.ts';
import type { Channel } from '../contract.ts';
import { credentialSchema, providerText } from '../credentials.ts';
import { challenge, verify } from '../meta/webhook.ts';
import { addressees, parse } from './inbound.ts';
import { fetchMedia, MAX_TEXT, refuses, send } from './outbound.ts';

/** Facebook Messenger: `secret` is the app secret, `token` the page's access token. */
export const messenger: Channel = {
  id: 'messenger',
  accountType: 'messenger',
  conversationType: 'messenger',
  label: 'Messenger',
  credentials: z.object({
    secret: credentialSchema,
    token: credentialSchema,
    providerData: z.strictObject({
      page_id: z.string({ error: 'is required' }).regex(/^\d{5,20}$/, 'must be the number that Meta shows'),
      verify_token: credentialSchema,
    }),
  }),
  limits: { maxTextLength: MAX_TEXT, maxMedias: 1, maxSegments: null },
  // The API takes no idempotency key; the echo of our own message is what tells an accepted one after a lost answer.
  policy: { idempotent: false, receiptWaitMs: MINUTE },
  // "This message is sent outside of allowed window."
  // "Attachments": 25 MB.
  maxFileBytes: () => 25 * 1024 * 1024,
  verdicts: { optOut: [], windowClosed: ['10.2018278'] },
  // The standard window, and the HUMAN_AGENT tag's seven days for what a person writes.
  window: { ms: DAY, humanExtraMs: 6 * DAY },
  self(account) {
    const page = providerText(account, 'page_id');
    return { address: address('messenger', page), key: page };
  },
  segments: () => null,
  verify,
  challenge,
  parse,
  addressees,
  acknowledgement: { status: 200, contentType: null, body: null },
  refuses,
  send,
  linksExpire: true,
  fetchMedia,
};
