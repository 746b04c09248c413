import type { z } from '@hono/zod-openapi';
import { checkedTarget } from './webhook-target.ts';
import type { customerChangesSchema } from './schemas/identity.ts';
import { microsOf } from '../../domain/time.ts';
import { newWebhookSecret } from '../../security/tokens.ts';
import type { Statement } from '../../storage/db.ts';
import {
  findEndpoint,
  insertEndpoint,
  newEndpointRow,
  rotatedSecret,
  updateEndpoint,
  type EndpointChanges,
  type WebhookEndpoint,
} from '../../storage/webhook-endpoints.ts';

/**
 * A customer's `webhook_uri` is an endpoint like any other, under the customer's own id: signed, retried, logged and disabled
 * by the same rules.
 */
export const customerHook = (env: Env, customerId: string): Promise<WebhookEndpoint | null> =>
  findEndpoint(env, customerId, customerId);

type Wanted = Pick<z.infer<typeof customerChangesSchema>, 'webhook_uri' | 'webhook_method' | 'webhook_secret'>;

/** The writes that bring the customer's endpoint to what is wanted; none where nothing of it is named. */
export async function saveCustomerHook(env: Env, customerId: string, wanted: Wanted): Promise<Statement[]> {
  const { webhook_uri: uri, webhook_method: method, webhook_secret: secret } = wanted;
  if (uri === undefined && method === undefined && !secret) return [];
  if (uri) checkedTarget(env, uri, 'webhook_uri');
  const hook = await customerHook(env, customerId);
  if (!hook) return [insertEndpoint(env, await firstHook(env, customerId, wanted))];
  const changes: EndpointChanges = {
    ...(uri === undefined ? {} : { url: uri, ...switchTo(uri !== '') }),
    ...(method === undefined ? {} : { method: method || 'POST' }),
    ...(secret ? await rotatedSecret(env, hook, secret, Date.now()) : {}),
    updatedAt: microsOf(Date.now()),
  };
  return [updateEndpoint(env, hook.id, changes)];
}

async function firstHook(env: Env, customerId: string, wanted: Wanted): Promise<WebhookEndpoint> {
  const { webhook_uri: url = '', webhook_method: method } = wanted;
  const secret = wanted.webhook_secret || newWebhookSecret();
  const chosen = {
    id: customerId,
    customerId,
    kind: 'customer',
    name: '',
    url,
    method: method || 'POST',
    dialect: 'voipbin',
    eventTypes: [],
  };
  return { ...(await newEndpointRow(env, chosen, secret, microsOf(Date.now()))), ...switchTo(url !== '') };
}

/** Naming a target switches the endpoint on again, with its bad time forgotten; an empty one switches it off. */
const switchTo = (
  on: boolean,
): EndpointChanges & Pick<WebhookEndpoint, 'status' | 'disabledReason' | 'failingSince'> => ({
  status: on ? 'enabled' : 'disabled',
  disabledReason: on ? '' : 'webhook_uri is empty',
  failingSince: null,
});
