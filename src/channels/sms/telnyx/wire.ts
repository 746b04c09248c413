import { z } from 'zod';

const text = z.string().catch('');

/** The envelope of every Telnyx event; the payload depends on its type. */
export const eventSchema = z.object({
  data: z.object({ event_type: z.string(), occurred_at: text, payload: z.unknown() }),
});

export const receivedSchema = z.object({
  id: z.string().min(1),
  from: z.object({ phone_number: z.string().min(1) }),
  text,
  media: z.array(z.object({ url: text, content_type: text })).catch([]),
});

export type TelnyxReceived = z.infer<typeof receivedSchema>;

const errorSchema = z.object({ code: z.union([z.string(), z.number()]).catch(''), title: text, detail: text });

export type TelnyxError = z.infer<typeof errorSchema>;

/** The status is per recipient; we send to one at a time. */
export const reportSchema = z.object({
  id: z.string(),
  to: z.array(z.object({ status: text })).min(1),
  errors: z.array(errorSchema).catch([]),
});

export const sentSchema = z.object({ data: z.object({ id: z.string() }) });

export const faultSchema = z.object({ errors: z.array(errorSchema).min(1) });
