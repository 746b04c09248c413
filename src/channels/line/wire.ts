import { z } from 'zod';

/** The fields that we read of LINE's webhook and answers (github.com/line/line-openapi). Unknown fields pass. */

const text = z.string().catch('');

/** Events stay unread here: one that is malformed must not lose the others. An empty list is LINE's connection test. */
export const bodySchema = z.object({ events: z.array(z.unknown()) });

/** Only `type` is demanded; whatever else is malformed counts as absent. */
export const eventSchema = z.object({
  type: z.string(),
  timestamp: z.number().int().nonnegative().optional().catch(undefined),
  webhookEventId: text,
  replyToken: text,
  source: z.object({ type: text, userId: text, groupId: text, roomId: text }).optional().catch(undefined),
  deliveryContext: z.object({ isRedelivery: z.boolean() }).catch({ isRedelivery: false }),
  message: z.looseObject({ id: text, type: text }).optional().catch(undefined),
  unsend: z
    .object({ messageId: z.string().min(1) })
    .optional()
    .catch(undefined),
  postback: z
    .object({ data: z.string(), params: z.record(z.string(), text).catch({}) })
    .optional()
    .catch(undefined),
});

export type LineEvent = z.infer<typeof eventSchema>;
export type LineMessage = NonNullable<LineEvent['message']>;

const providerSchema = z
  .object({ type: text, originalContentUrl: text })
  .catch({ type: 'line', originalContentUrl: '' });

export const textSchema = z.object({ text: z.string().min(1) });

export const fileSchema = z.object({ contentProvider: providerSchema, fileName: text });

export const locationSchema = z.object({
  title: text,
  address: text,
  latitude: z.number(),
  longitude: z.number(),
});

export const stickerSchema = z.object({ packageId: z.string(), stickerId: z.string() });

export const sentSchema = z.object({ sentMessages: z.array(z.object({ id: z.string() })).min(1) });

export const faultSchema = z.object({
  message: z.string(),
  details: z.array(z.object({ message: text, property: text })).catch([]),
});

/** A message object of the send API. */
export type LineOutgoing =
  | { type: 'text'; text: string }
  | { type: 'image' | 'video'; originalContentUrl: string; previewImageUrl: string }
  | { type: 'audio'; originalContentUrl: string; duration: number };
