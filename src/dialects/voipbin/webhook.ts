import { blankTime, presentStamps } from './times.ts';
import { microsOf, type Micros, type Millis } from '../../domain/time.ts';
import { defined } from '../../domain/optional.ts';

interface Endpoint {
  id: string;
  customerId: string;
  name: string;
  url: string;
  method: string;
  eventTypes: string[];
  dialect: string;
  status: string;
  disabledReason: string;
  failingSince: Micros | null;
  createdAt: Micros;
  updatedAt: Micros;
  deletedAt: Micros | null;
}

interface Delivery {
  id: string;
  customerId: string;
  endpointId: string;
  eventId: string;
  eventType: string;
  sourceId: string;
  sequence: number;
  status: string;
  attempts: number;
  nextAttemptMs: Millis;
  responseStatus: number | null;
  responseTimeMs: number | null;
  error: string;
  createdAt: Micros;
  updatedAt: Micros;
}

/** `secret`: only in the answer that creates or changes it. */
export const presentEndpoint = (endpoint: Endpoint, secret?: string) => ({
  id: endpoint.id,
  customer_id: endpoint.customerId,
  name: endpoint.name,
  url: endpoint.url,
  method: endpoint.method,
  events: endpoint.eventTypes,
  dialect: endpoint.dialect,
  status: endpoint.status === 'enabled' ? ('enabled' as const) : ('disabled' as const),
  disabled_reason: endpoint.disabledReason,
  failing_since: endpoint.failingSince === null ? null : blankTime(endpoint.failingSince),
  ...defined({ secret }),
  ...presentStamps(endpoint),
});

const STATES = { pending: 'pending', succeeded: 'succeeded', failed: 'failed' } as const;

const stateOf = (text: string) => (text === 'pending' || text === 'succeeded' ? STATES[text] : STATES.failed);

export const presentWebhookDelivery = (delivery: Delivery) => ({
  id: delivery.id,
  customer_id: delivery.customerId,
  endpoint_id: delivery.endpointId,
  event_id: delivery.eventId,
  event_type: delivery.eventType,
  conversation_id: delivery.sourceId,
  sequence: delivery.sequence,
  status: stateOf(delivery.status),
  attempts: delivery.attempts,
  next_attempt_at: delivery.status === 'pending' ? blankTime(microsOf(delivery.nextAttemptMs)) : null,
  response_status: delivery.responseStatus,
  response_time_ms: delivery.responseTimeMs,
  error: delivery.error,
  tm_create: blankTime(delivery.createdAt),
  tm_update: blankTime(delivery.updatedAt),
});
