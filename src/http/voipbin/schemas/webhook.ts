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
    events: z.array(z.string()).openapi({ description: 'Empty for all events' }),
    dialect: z.string(),
    status: z.enum(['enabled', 'disabled']),
    disabled_reason: z.string(),
    failing_since: time
      .nullable()
      .openapi({ description: 'The time since which no delivery succeeded; after five days the endpoint is disabled' }),
    secret: z.string().optional().openapi({ description: 'Only in the response that creates or changes it' }),
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
const dialect = z.enum(DIALECTS).openapi({ description: 'The format of the events' });

export const newEndpointSchema = z
  .object({
    url,
    name: z.string().max(255).default(''),
    events: events.default([]),
    secret: secret.optional().openapi({ description: 'Generated if absent (whsec_…)' }),
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
    event_id: z.string().openapi({ description: 'The `webhook-id` header of every attempt' }),
    event_type: z.string(),
    conversation_id: z
      .string()
      .openapi({ description: 'The conversation or talk of the event; for an endpoint’s own notices the endpoint' }),
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
  event_type: z.enum(ALL_NAMES).optional(),
  conversation_id: uuid.optional(),
});

export const eventSchema = z
  .object({
    id: z.string().openapi({ description: 'The `webhook-id` with which receivers get the event' }),
    type: z.string(),
    sequence: z.number().int(),
    data: z.record(z.string(), z.unknown()),
  })
  .openapi('Event');
