import { wireEventsOf } from '../../dialects/voipbin/stored-event.ts';
import { wireEventId } from '../../dialects/voipbin/events.ts';
import { microsOf, type Micros, type Millis } from '../../domain/time.ts';
import type { StoredEvent } from '../../domain/stored-event.ts';
import type { Statement } from '../../storage/db.ts';
import { dbOf, runBatch } from '../../storage/db.ts';
import { eventsAfter, insertNotice } from '../../storage/events.ts';
import {
  insertDelivery,
  restartFailed,
  webhookDeliveryId,
  type WebhookDelivery,
} from '../../storage/webhook-deliveries.ts';
import { nextNotice, type WebhookEndpoint } from '../../storage/webhook-endpoints.ts';

const PAGE = 100;

/** A `webhook_test` event of the endpoint's own, and its delivery; nothing is written yet. */
export async function testDelivery(
  env: Env,
  endpoint: WebhookEndpoint,
  now: Millis,
): Promise<{ statements: Statement[]; delivery: WebhookDelivery }> {
  const type = 'webhook_test';
  const { id: endpointId, customerId } = endpoint;
  const sequence = await nextNotice(env, endpointId);
  const notice = { customerId, endpointId, sequence, type, data: { endpoint_id: endpointId }, at: microsOf(now) };
  const wire = { id: wireEventId(endpointId, sequence, type), type, sequence };
  const delivery = pendingDelivery(endpoint, endpointId, wire, now);
  return { statements: [insertNotice(env, notice), insertDelivery(env, delivery)], delivery };
}

/**
 * Puts an endpoint's failed deliveries back on their way, and makes up those that it never had: while it was disabled, none were made.
 * They are due at once, and the sweep brings them to the queue in its own measure. @returns how many were restarted or looked at anew.
 */
export async function recoverEndpoint(
  env: Env,
  endpoint: WebhookEndpoint,
  since: Micros,
  now: Millis,
): Promise<number> {
  const restarted = await restartFailed(env, endpoint.id, since, now);
  let made = 0;
  let position = 0;
  for (;;) {
    const events = await eventsAfter(env, endpoint.customerId, position, PAGE, since);
    const missed = events.flatMap((event) => wanted(endpoint, event, now));
    await runBatch(
      dbOf(env),
      missed.map((delivery) => insertDelivery(env, delivery)),
    );
    made += missed.length;
    const last = events.at(-1);
    if (!last) return restarted + made;
    position = last.position;
  }
}

const wanted = (endpoint: WebhookEndpoint, event: StoredEvent, now: Millis): WebhookDelivery[] =>
  wireEventsOf(event)
    .filter(({ type }) => endpoint.eventTypes.length === 0 || endpoint.eventTypes.includes(type))
    .map((wire) => pendingDelivery(endpoint, event.sourceId, wire, now));

const pendingDelivery = (
  endpoint: WebhookEndpoint,
  sourceId: string,
  wire: { id: string; type: string; sequence: number },
  now: Millis,
): WebhookDelivery => ({
  id: webhookDeliveryId(wire.id, endpoint.id),
  customerId: endpoint.customerId,
  endpointId: endpoint.id,
  eventId: wire.id,
  eventType: wire.type,
  sourceId,
  sequence: wire.sequence,
  status: 'pending',
  attempts: 0,
  nextAttemptMs: now,
  responseStatus: null,
  responseTimeMs: null,
  error: '',
  createdAt: microsOf(now),
  updatedAt: microsOf(now),
});
