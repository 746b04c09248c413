import { z } from 'zod';
import { address } from '../../domain/addresses.ts';
import { DAY, MINUTE } from '../../domain/time.ts';
import type { Channel } from '../contract.ts';
import { credentialSchema, providerText } from '../credentials.ts';
import { challenge, verify } from '../meta/webhook.ts';
import { numberSchema } from '../sms/common.ts';
import { addressees, parse } from './inbound.ts';
import { fetchMedia, maxFileBytes, MAX_TEXT, refuses, send } from './outbound.ts';
import { listTemplates } from './templates.ts';

const metaId = z.string({ error: 'is required' }).regex(/^\d{5,20}$/, 'must be the number that Meta shows');

/** WhatsApp Cloud API: `secret` is the app secret, `token` the access token; `waba_id` is for templates. */
export const whatsapp: Channel = {
  id: 'whatsapp',
  accountType: 'whatsapp',
  conversationType: 'whatsapp',
  label: 'WhatsApp',
  credentials: z.object({
    secret: credentialSchema,
    token: credentialSchema,
    providerData: z.strictObject({
      phone_number_id: metaId,
      number: numberSchema,
      verify_token: credentialSchema,
      waba_id: z.union([z.literal(''), metaId]).default(''),
    }),
  }),
  limits: { maxTextLength: MAX_TEXT, maxMedias: 1, maxSegments: null },
  // The API takes no idempotency key; the status is what tells an accepted message after a lost answer.
  policy: { idempotent: false, receiptWaitMs: MINUTE },
  // 131047: more than 24 hours since the contact wrote; 470 is its older name.
  verdicts: { optOut: [], windowClosed: ['131047', '470'] },
  window: { ms: DAY, humanExtraMs: 0 },
  self(account) {
    const number = providerText(account, 'number');
    return { address: address('whatsapp', number), key: number };
  },
  segments: () => null,
  verify,
  challenge,
  parse,
  addressees,
  acknowledgement: { status: 200, contentType: null, body: null },
  refuses,
  maxFileBytes,
  listTemplates,
  send,
  fetchMedia,
};
