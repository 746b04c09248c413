import { DIALECTS } from '../../dialects/announce.ts';
import { wireEventId } from '../../dialects/voipbin/events.ts';
import { microsOf, millisOf, MINUTE, type Millis } from '../../domain/time.ts';
import { log } from '../../log.ts';
import { dbOf, runBatch } from '../../storage/db.ts';
import { insertNotice } from '../../storage/events.ts';
import { announceStatement } from '../../storage/projection.ts';
import { recordOutcome, type DeliveryOutcome, type WebhookDelivery } from '../../storage/webhook-deliveries.ts';
import { nextNotice, disableEndpoint, updateEndpoint, type WebhookEndpoint } from '../../storage/webhook-endpoints.ts';
import type { AttemptResult } from '../../webhooks/post.ts';
import { DISABLE_AFTER_MS, webhookDelay } from '../../webhooks/schedule.ts';
import { enqueue } from '../jobs.ts';

/** The longest delay that is left to the queue; longer ones wait in D1 for the cron's sweep. */
const QUEUE_DELAY_MS = MINUTE;

/**
 * Ends a delivery without another attempt: the endpoint is disabled or deleted, or the event is gone. The delivery shows as failed and can
 * be retried.
 */
export const failDelivery = (env: Env, delivery: WebhookDelivery, error: string, now: Millis): Promise<void> =>
  save(env, delivery, { status: 'failed', responseStatus: null, responseTimeMs: null, error, nextAttemptMs: now }, now);

export async function recordAttempt(
  env: Env,
  endpoint: WebhookEndpoint,
  delivery: WebhookDelivery,
  result: AttemptResult,
  now: Millis,
): Promise<void> {
  const delay = result.delivered ? null : webhookDelay(delivery.attempts, result.retryAfterMs, Math.random());
  const status = result.delivered ? 'succeeded' : delay === null || result.status === 410 ? 'failed' : 'pending';
  const { status: responseStatus, timeMs: responseTimeMs, error } = result;
  await save(env, delivery, { status, responseStatus, responseTimeMs, error, nextAttemptMs: now + (delay ?? 0) }, now);
  await updateHealth(env, endpoint, result, now);
  if (status === 'pending' && delay !== null && delay <= QUEUE_DELAY_MS) {
    await enqueue(env.WEBHOOKS, [{ v: 1, webhookDeliveryId: delivery.id }], Math.ceil(delay / 1000));
  }
}

const save = (env: Env, delivery: WebhookDelivery, outcome: DeliveryOutcome, now: Millis): Promise<void> =>
  runBatch(dbOf(env), [recordOutcome(env, delivery.id, outcome, now)]);

/** A success resets the endpoint's health. A 410 disables the endpoint immediately, and so do five days without a success. */
async function updateHealth(env: Env, endpoint: WebhookEndpoint, result: AttemptResult, now: Millis): Promise<void> {
  const { failingSince } = endpoint;
  if (result.delivered) {
    if (failingSince !== null) await runBatch(dbOf(env), [updateEndpoint(env, endpoint.id, { failingSince: null })]);
  } else if (result.status === 410) {
    await disable(env, endpoint, 'the receiver answered 410 Gone', now);
  } else if (failingSince === null) {
    await runBatch(dbOf(env), [updateEndpoint(env, endpoint.id, { failingSince: microsOf(now) })]);
  } else if (now - millisOf(failingSince) >= DISABLE_AFTER_MS) {
    await disable(env, endpoint, 'nothing succeeded for five days', now);
  }
}

/** Disables an endpoint and announces it: in its own fields, in `GET /events`, and to the customer's other endpoints. */
async function disable(env: Env, endpoint: WebhookEndpoint, reason: string, now: Millis): Promise<void> {
  const { id: endpointId, customerId } = endpoint;
  if (!(await disableEndpoint(env, endpointId, reason, now))) return;
  const type = 'webhook_endpoint_disabled';
  const sequence = await nextNotice(env, endpointId);
  const data = { endpoint_id: endpointId, url: endpoint.url, reason };
  const notice = { customerId, endpointId, sequence, type, data, at: microsOf(now) };
  await runBatch(dbOf(env), [insertNotice(env, notice)]);
  const eventId = wireEventId(endpointId, sequence, type);
  const announcements = DIALECTS.map((dialect) => ({ sourceId: endpointId, dialect, eventId, type, sequence }));
  await announceStatement(env.DB, customerId, announcements, now).run();
  log('warn', 'webhook endpoint disabled', { endpoint: endpointId, customer: customerId });
}
