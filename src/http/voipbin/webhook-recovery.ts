import { announceStored } from '../../dialects/announce.ts';
import { wireEventId } from '../../dialects/voipbin/events.ts';
import { microsOf, type Micros, type Millis } from '../../domain/time.ts';
import type { Statement } from '../../storage/db.ts';
import { eventsAfter, insertNotice } from '../../storage/events.ts';
import { announceStatement } from '../../storage/projection.ts';
import {
  insertDelivery,
  restartFailed,
  webhookDeliveryId,
  type WebhookDelivery,
} from '../../storage/webhook-deliveries.ts';
import { nextNotice, type WebhookEndpoint } from '../../storage/webhook-endpoints.ts';

/** One page is one statement: an invocation may make 1,000 (facts/platform.md section 1). */
const PAGE = 200;
const MAX_PAGES = 400;

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
 * They are due at once, and the sweep brings them to the queue in its own measure.
 * @returns how many deliveries that makes, of the 80,000 events after `since` at most.
 */
export async function recoverEndpoint(
  env: Env,
  endpoint: WebhookEndpoint,
  since: Micros,
  now: Millis,
): Promise<number> {
  let made = await restartFailed(env, endpoint.id, since, now);
  let position = 0;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const events = await eventsAfter(env, endpoint.customerId, position, PAGE, { since, withTalks: true });
    const last = events.at(-1);
    if (!last) break;
    const missed = events.flatMap((event) => announceStored(event, endpoint.dialect));
    made += (await announceStatement(env.DB, endpoint.customerId, missed, now, endpoint.id).run()).meta.changes;
    position = last.position;
  }
  return made;
}

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
