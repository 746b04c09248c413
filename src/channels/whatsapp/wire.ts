import { z } from 'zod';

const text = z.string().catch('');
const plain = z.union([z.string(), z.number()]).transform(String).catch('');

/** The envelope: several entries, changes, messages and statuses in one request; each is read on its own. */
export const bodySchema = z.object({
  object: z.literal('whatsapp_business_account'),
  entry: z.array(z.object({ changes: z.array(z.unknown()).catch([]) }).catch({ changes: [] })),
});

export const changeSchema = z.object({
  field: z.string(),
  value: z.object({
    metadata: z.object({ phone_number_id: text }),
    contacts: z.array(z.unknown()).catch([]),
    messages: z.array(z.unknown()).catch([]),
    message_echoes: z.array(z.unknown()).catch([]),
    statuses: z.array(z.unknown()).catch([]),
  }),
});

export const contactSchema = z.object({
  wa_id: text,
  user_id: text,
  profile: z.object({ name: text, username: text }).catch({ name: '', username: '' }),
});

export type WhatsAppContact = z.infer<typeof contactSchema>;

const file = z.object({ id: text, mime_type: text, caption: text, filename: text }).optional().catch(undefined);
const reply = z.object({ id: text, title: text, description: text }).optional().catch(undefined);

/** A message, or an echo of one that the business wrote in its app: `to` is only there. */
export const messageSchema = z.object({
  id: z.string().min(1),
  from: text,
  from_user_id: text,
  to: text,
  to_user_id: text,
  timestamp: text,
  type: text,
  text: z.object({ body: text }).optional().catch(undefined),
  image: file,
  audio: file,
  video: file,
  document: file,
  sticker: file,
  location: z
    .object({ latitude: z.number(), longitude: z.number(), name: text, address: text })
    .optional()
    .catch(undefined),
  button: z.object({ text, payload: text }).optional().catch(undefined),
  interactive: z
    .object({
      button_reply: reply,
      list_reply: reply,
      nfm_reply: z.object({ name: text, body: text, response_json: text }).optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
  system: z.object({ type: text, body: text, wa_id: text, user_id: text }).optional().catch(undefined),
  order: z
    .object({
      catalog_id: text,
      text,
      product_items: z
        .array(z.object({ product_retailer_id: text, quantity: plain, item_price: plain, currency: text }))
        .catch([]),
    })
    .optional()
    .catch(undefined),
  context: z
    .object({ id: text, forwarded: z.boolean().catch(false) })
    .optional()
    .catch(undefined),
  group_id: text,
  reaction: z.object({ message_id: text, emoji: text }).optional().catch(undefined),
  contacts: z
    .array(
      z.object({
        name: z.object({ formatted_name: text }).catch({ formatted_name: '' }),
        phones: z.array(z.object({ phone: text }).catch({ phone: '' })).catch([]),
        emails: z.array(z.object({ email: text }).catch({ email: '' })).catch([]),
      }),
    )
    .optional()
    .catch(undefined),
});

export type WhatsAppMessage = z.infer<typeof messageSchema>;

export const statusSchema = z.object({
  id: text,
  status: z.string(),
  biz_opaque_callback_data: text,
  errors: z.array(z.unknown()).catch([]),
});

export const statusErrorSchema = z.object({
  code: z.number(),
  title: text,
  error_data: z.object({ details: text }).catch({ details: '' }),
});

export type WhatsAppStatus = z.infer<typeof statusSchema>;

export const sentSchema = z.object({ messages: z.array(z.object({ id: z.string() })).min(1) });

export const mediaSchema = z.object({ url: z.string() });

/** A page of the account's templates; each is read on its own. */
export const templatesPageSchema = z.object({
  data: z.array(z.unknown()),
  paging: z
    .object({ next: z.string().optional(), cursors: z.object({ after: text }).catch({ after: '' }) })
    .catch({ cursors: { after: '' } }),
});

export const templateSchema = z.object({
  name: z.string(),
  language: z.string(),
  status: text,
  category: text,
  components: z
    .array(
      z.object({ type: text, format: text, text, buttons: z.array(z.object({ type: text, url: text })).catch([]) }),
    )
    .catch([]),
});

export type WhatsAppTemplate = z.infer<typeof templateSchema>;

/** `US.13491208655302741918`, `US.ENT.…`: a business-scoped user id. */
export const isUserId = (text: string): boolean => /^[A-Z]{2}\.(?:ENT\.)?\w{1,128}$/.test(text);
