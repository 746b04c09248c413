import { segments } from '../../channels/sms/segments.ts';
import { presentNotice, presentWebhook, smsTextOf } from '../../dialects/voicebip/webhook.ts';
import { presentStored } from '../../dialects/voipbin/events.ts';
import { isMessageEvent } from '../../domain/conversation/events.ts';
import { configOf } from '../../env.ts';
import type { StoredEvent } from '../../domain/stored-event.ts';
import { findAssistantId } from '../../storage/accounts.ts';
import type { WebhookDelivery } from '../../storage/webhook-deliveries.ts';
import { signingSecrets, type WebhookEndpoint } from '../../storage/webhook-endpoints.ts';
import { checkResolved } from '../../webhooks/guard.ts';
import { postWebhook, type AttemptResult } from '../../webhooks/post.ts';
import { resolveHost } from '../../webhooks/resolve.ts';
import { signedHeaders, voicebipHeaders } from '../../webhooks/sign.ts';

/** One attempt over the network: guarded, signed, bounded. Every outcome is a result; it never throws. */
export async function attemptWebhook(
  env: Env,
  endpoint: WebhookEndpoint,
  delivery: WebhookDelivery,
  event: StoredEvent,
): Promise<AttemptResult> {
  const options = { allowPrivate: configOf(env).ALLOW_PRIVATE_TARGETS, resolve: resolveHost };
  const target = await checkResolved(endpoint.url, options).catch(() => null);
  if (!target?.ok) return notAttempted(target ? 'TARGET_REFUSED' : 'NO_ADDRESS');
  const isVoicebip = endpoint.dialect === 'voicebip';
  const body = JSON.stringify(
    isVoicebip ? await voicebipBody(env, delivery, event) : presentStored(event, delivery.eventType),
  );
  const signed = { id: delivery.eventId, timestamp: Math.floor(Date.now() / 1000), body };
  const secrets = await signingSecrets(env, endpoint, Date.now());
  const headers = await (isVoicebip ? voicebipHeaders(signed, secrets) : signedHeaders(signed, secrets));
  return postWebhook({ url: target.value, method: endpoint.method, headers, body }, (url, init) => fetch(url, init));
}

async function voicebipBody(env: Env, { eventId, eventType: name }: WebhookDelivery, stored: StoredEvent) {
  if (stored.kind === 'notice') return presentNotice(eventId, name, stored.at, stored.data);
  if (stored.kind === 'talk') throw new Error('the voicebip dialect has no talk events');
  const { event } = stored;
  const { customerId, accountId } = isMessageEvent(event) ? event.message : event.conversation;
  const agentId = await findAssistantId(env, customerId, accountId);
  const encoding = segments(smsTextOf(event))?.encoding ?? null;
  return presentWebhook(event, { eventId, name, agentId, encoding });
}

const notAttempted = (error: string): AttemptResult => ({
  delivered: false,
  status: null,
  retryAfterMs: null,
  timeMs: 0,
  error,
});
