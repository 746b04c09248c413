import { failDelivery, recordAttempt } from './outcome.ts';
import { attemptWebhook } from './request.ts';
import { findEvent } from '../../storage/events.ts';
import { claimDelivery } from '../../storage/webhook-deliveries.ts';
import { findEndpoint } from '../../storage/webhook-endpoints.ts';
import type { WebhookJob } from '../jobs.ts';

/** The next attempt at one webhook delivery, if it is due. The row in D1 is the source of truth; the job is only a reminder. */
export async function deliverWebhook(env: Env, job: WebhookJob): Promise<void> {
  const delivery = await claimDelivery(env, job.webhookDeliveryId, Date.now());
  if (!delivery) return;
  const endpoint = await findEndpoint(env, delivery.customerId, delivery.endpointId);
  if (!endpoint) return failDelivery(env, delivery, 'ENDPOINT_GONE', Date.now());
  if (endpoint.status !== 'enabled') return failDelivery(env, delivery, 'ENDPOINT_DISABLED', Date.now());
  const event = await findEvent(env, delivery.sourceId, delivery.sequence);
  if (!event) return failDelivery(env, delivery, 'EVENT_GONE', Date.now());
  const result = await attemptWebhook(env, endpoint, delivery, event);
  await recordAttempt(env, endpoint, delivery, result, Date.now());
}
