import { z } from '@hono/zod-openapi';
import { DIALECTS, type Dialect } from '../../../dialects/announce.ts';
import { VOICEBIP_EVENT_NAMES } from '../../../dialects/voicebip/events.ts';
import { NOTICE_NAMES, WIRE_EVENT_NAMES } from '../../../dialects/voipbin/events.ts';
import { uuid, webhookSecret as secret } from '../../openapi.ts';

const time = z.string().openapi({ example: '2022-06-23 05:05:40.950834' });
const stamps = { tm_create: time, tm_update: time, tm_delete: time };

export const endpointSchema = z
  .object({
    id: z.uuid(),
    customer_id: z.uuid(),
    name: z.string(),
    url: z.string(),
    method: z.string(),
    events: z.array(z.string()).openapi({ description: 'Empty means all' }),
    dialect: z.string(),
    status: z.enum(['enabled', 'disabled']),
    disabled_reason: z.string(),
    failing_since: time
      .nullable()
      .openapi({ description: 'Since when nothing succeeded; five days of it disable the endpoint' }),
    secret: z.string().optional().openapi({ description: 'Only in the answer that makes or changes it' }),
    ...stamps,
  })
  .openapi('WebhookEndpoint');

const NAMES: Record<Dialect, readonly string[]> = {
  voipbin: WIRE_EVENT_NAMES,
  voicebip: [...VOICEBIP_EVENT_NAMES, ...NOTICE_NAMES],
};
const ALL_NAMES = [...WIRE_EVENT_NAMES, ...VOICEBIP_EVENT_NAMES] as const;
const events = z.array(z.enum(ALL_NAMES)).max(ALL_NAMES.length);

/** The first of these names that the dialect does not have. */
export const strangerAmong = (names: string[], dialect: string): string | undefined =>
  names.find((name) => !NAMES[dialect === 'voicebip' ? 'voicebip' : 'voipbin'].includes(name));

const url = z.string().min(1).max(2000);
const dialect = z.enum(DIALECTS).openapi({ description: 'The form of the events' });

export const newEndpointSchema = z
  .object({
    url,
    name: z.string().max(255).default(''),
    events: events.default([]),
    secret: secret.optional().openapi({ description: 'Made by us when absent: whsec_…' }),
    dialect: dialect.default('voipbin'),
    status: z.enum(['enabled', 'disabled']).default('enabled'),
  })
  .openapi('NewWebhookEndpoint');

export const endpointChangesSchema = z
  .object({ url, name: z.string().max(255), events, secret, status: z.enum(['enabled', 'disabled']) })
  .partial()
  .openapi('WebhookEndpointChanges');

export const deliverySchema = z
  .object({
    id: z.string(),
    customer_id: z.uuid(),
    endpoint_id: z.uuid(),
    event_id: z.string().openapi({ description: 'The webhook-id of every attempt' }),
    event_type: z.string(),
    conversation_id: z
      .string()
      .openapi({ description: 'The log that the event is in; of an endpoint’s own notices the endpoint' }),
    sequence: z.number().int(),
    status: z.enum(['pending', 'succeeded', 'failed']),
    attempts: z.number().int(),
    next_attempt_at: time.nullable(),
    response_status: z.number().int().nullable(),
    response_time_ms: z.number().int().nullable(),
    error: z.string(),
    tm_create: time,
    tm_update: time,
  })
  .openapi('WebhookDelivery');

export const deliveryFilterSchema = z.object({
  endpoint_id: uuid.optional(),
  status: z.enum(['pending', 'succeeded', 'failed']).optional(),
  event_type: z.string().max(64).optional(),
  conversation_id: uuid.optional(),
});

export const eventSchema = z
  .object({
    id: z.string().openapi({ description: 'The webhook-id under which receivers get it' }),
    type: z.string(),
    sequence: z.number().int(),
    data: z.record(z.string(), z.unknown()),
  })
  .openapi('Event');
