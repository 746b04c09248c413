import { z } from 'zod';

const text = z.string().catch('');
const party = z.object({ id: text }).catch({ id: '' });

/** The envelope: several entries and events in one request; each is read on its own. */
const events = z.array(z.unknown()).catch([]);
export const bodySchema = z.object({
  object: z.literal('page'),
  entry: z.array(
    z.object({ id: text, messaging: events, standby: events }).catch({ id: '', messaging: [], standby: [] }),
  ),
});

export const attachmentSchema = z.object({
  type: text,
  title: text,
  url: text,
  payload: z
    .object({
      url: text,
      coordinates: z.object({ lat: z.number(), long: z.number() }).optional().catch(undefined),
    })
    .catch({ url: '', coordinates: undefined }),
});

export type MessengerAttachment = z.infer<typeof attachmentSchema>;

/** Times are milliseconds. */
const watermark = z.object({ watermark: z.number() }).optional().catch(undefined);

export const eventSchema = z.object({
  sender: party,
  recipient: party,
  timestamp: z.number().optional().catch(undefined),
  message: z
    .object({
      mid: z.string().min(1),
      text,
      is_echo: z.boolean().catch(false),
      metadata: text,
      quick_reply: z.object({ payload: text }).optional().catch(undefined),
      attachments: z.array(z.unknown()).catch([]),
    })
    .optional()
    .catch(undefined),
  reaction: z.object({ mid: text, action: text, emoji: text, reaction: text }).optional().catch(undefined),
  referral: z.object({ ref: text, source: text, type: text }).optional().catch(undefined),
  optin: z.object({ ref: text, type: text }).optional().catch(undefined),
  postback: z.object({ mid: text, title: text, payload: text }).optional().catch(undefined),
  delivery: watermark,
  read: watermark,
});

export type MessengerEvent = z.infer<typeof eventSchema>;
export type MessengerMessage = NonNullable<MessengerEvent['message']>;

export const sentSchema = z.object({ message_id: z.string() });
