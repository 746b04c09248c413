import { createRoute, z } from '@hono/zod-openapi';
import type { AppContext } from '../context.ts';
import { invalidField } from '../errors.ts';
import { idempotencyOf, withIdempotencyKey } from '../once.ts';
import { answer, body, idempotencyHeaders, KEY_REFUSALS, security } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { checkedTarget } from '../voipbin/webhook-target.ts';
import { failures } from './openapi.ts';
import { segments } from '../../channels/sms/segments.ts';
import { VOICEBIP_EVENT_NAMES } from '../../dialects/voicebip/events.ts';
import { sampleEvent } from '../../dialects/voicebip/sample.ts';
import { presentWebhook, smsTextOf } from '../../dialects/voicebip/webhook.ts';
import { microsOf } from '../../domain/time.ts';
import { configOf } from '../../env.ts';
import { uuidFrom } from '../../security/encoding.ts';
import { customerSecrets, findEndpointAt, signingSecrets } from '../../storage/webhook-endpoints.ts';
import { checkResolved } from '../../webhooks/guard.ts';
import { postWebhook } from '../../webhooks/post.ts';
import { resolveHost } from '../../webhooks/resolve.ts';
import { voicebipHeaders } from '../../webhooks/sign.ts';

const wantedSchema = z.object({ webhook_url: z.string().min(1).max(2000), event_type: z.enum(VOICEBIP_EVENT_NAMES) });

type Wanted = z.infer<typeof wantedSchema>;

const testRoute = createRoute({
  tags: ['Voicebip'],
  security,
  method: 'post',
  path: '/test',
  summary: 'Send a sample event to a receiver and return its response',
  description:
    'Signed with the secret of the customer’s endpoint with that URL, or else of the customer’s webhook. Nothing is stored or retried.',
  request: {
    headers: idempotencyHeaders,
    ...body(wantedSchema),
  },
  responses: {
    ...answer(
      z.object({
        delivery_id: z.string(),
        status: z.enum(['delivered', 'failed']),
        response_code: z.number().int().nullable().openapi({ description: 'Null if there was no response' }),
        response_time_ms: z.number().int(),
        error: z.string().openapi({ description: 'The reason of a failure; an addition to Voicebip’s fields' }),
      }),
      'The response of the receiver',
    ),
    ...failures(...KEY_REFUSALS),
  },
});

export const voicebipWebhookRoutes = newRouter();

voicebipWebhookRoutes.openapi(testRoute, async (c) => {
  const wanted = c.req.valid('json');
  return c.json(await withIdempotencyKey(c, async () => ({ answer: await tested(c, wanted) })), 200);
});

async function tested(c: AppContext, { webhook_url: url, event_type: name }: Wanted) {
  const target = await reachable(c, url);
  const { customerId } = c.get('principal');
  const eventId = await newEventId(c);
  const event = sampleEvent(name, customerId, microsOf(Date.now()));
  const encoding = segments(smsTextOf(event))?.encoding ?? null;
  const text = JSON.stringify(presentWebhook(event, { eventId, name, agentId: null, encoding }));
  const signed = { id: eventId, timestamp: Math.floor(Date.now() / 1000), body: text };
  const headers = await voicebipHeaders(signed, await secretsFor(c.env, customerId, url));
  const result = await postWebhook({ url: target, method: 'POST', headers, body: text }, (to, init) => fetch(to, init));
  return {
    delivery_id: eventId.replace('evt_', 'del_'),
    status: result.delivered ? ('delivered' as const) : ('failed' as const),
    response_code: result.status,
    response_time_ms: result.timeMs,
    error: result.error,
  };
}

/** The same for the same request under its Idempotency-Key: where a crash makes it go out twice, the receiver can tell. */
async function newEventId(c: AppContext): Promise<string> {
  const claim = await idempotencyOf(c);
  const id = claim
    ? await uuidFrom(JSON.stringify(['webhook test', claim.customerId, claim.key, claim.fingerprint]))
    : crypto.randomUUID();
  return `evt_${id.replaceAll('-', '')}`;
}

async function reachable(c: AppContext, url: string): Promise<URL> {
  checkedTarget(c.env, url, 'webhook_url');
  const options = { allowPrivate: configOf(c.env).ALLOW_PRIVATE_TARGETS, resolve: resolveHost };
  const checked = await checkResolved(url, options).catch(() => null);
  if (checked?.ok) return checked.value;
  throw invalidField('webhook_url', checked ? checked.error : 'has a host name that does not resolve');
}

async function secretsFor(env: Env, customerId: string, url: string): Promise<string[]> {
  const endpoint = await findEndpointAt(env, customerId, url);
  return endpoint ? signingSecrets(env, endpoint, Date.now()) : customerSecrets(env, customerId, Date.now());
}
