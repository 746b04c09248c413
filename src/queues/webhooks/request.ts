import { presentStored } from '../../dialects/voipbin/stored-event.ts';
import { configOf } from '../../env.ts';
import type { StoredEvent } from '../../domain/stored-event.ts';
import type { WebhookDelivery } from '../../storage/webhook-deliveries.ts';
import { signingSecrets, type WebhookEndpoint } from '../../storage/webhook-endpoints.ts';
import { checkResolved } from '../../webhooks/guard.ts';
import { postWebhook, type AttemptResult } from '../../webhooks/post.ts';
import { resolveHost } from '../../webhooks/resolve.ts';
import { signedHeaders } from '../../webhooks/sign.ts';

/** One attempt over the network: guarded, signed, bounded. Whatever happens is a result. */
export async function attemptWebhook(
  env: Env,
  endpoint: WebhookEndpoint,
  delivery: WebhookDelivery,
  event: StoredEvent,
): Promise<AttemptResult> {
  const options = { allowPrivate: configOf(env).ALLOW_PRIVATE_TARGETS, resolve: resolveHost };
  const target = await checkResolved(endpoint.url, options).catch(() => null);
  if (!target?.ok) return notTried(target ? 'TARGET_REFUSED' : 'NO_ADDRESS');
  const body = JSON.stringify(presentStored(event, delivery.eventType));
  const signed = { id: delivery.eventId, timestamp: Math.floor(Date.now() / 1000), body };
  const headers = await signedHeaders(signed, await signingSecrets(env, endpoint, Date.now()));
  return postWebhook({ url: target.value, method: endpoint.method, headers, body }, (url, init) => fetch(url, init));
}

const notTried = (error: string): AttemptResult => ({
  delivered: false,
  status: null,
  retryAfterMs: null,
  timeMs: 0,
  error,
});
