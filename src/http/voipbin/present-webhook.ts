import { presentStamps } from './present-identity.ts';
import { blankTime } from '../../dialects/voipbin/times.ts';
import { microsOf } from '../../domain/time.ts';
import type { WebhookDelivery } from '../../storage/webhook-deliveries.ts';
import type { WebhookEndpoint } from '../../storage/webhook-endpoints.ts';

/** `secret` only where it has just been made or changed. */
export const presentEndpoint = (endpoint: WebhookEndpoint, secret?: string) => ({
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
  ...(secret === undefined ? {} : { secret }),
  ...presentStamps(endpoint),
});

const STATES = { pending: 'pending', succeeded: 'succeeded', failed: 'failed' } as const;

const stateOf = (text: string) => (text === 'pending' || text === 'succeeded' ? STATES[text] : STATES.failed);

export const presentWebhookDelivery = (delivery: WebhookDelivery) => ({
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
