import { createRoute, z } from '@hono/zod-openapi';
import type { AppContext } from '../context.ts';
import { ApiError, invalidField } from '../errors.ts';
import { allow } from '../middleware/authenticate.ts';
import { withIdempotencyKey } from '../once.ts';
import { answer, body, failures, idempotencyHeaders, KEY_REFUSALS, idParam, security } from '../openapi.ts';
import { ownedOr404 } from '../owned.ts';
import { newRouter } from '../router.ts';
import { pageQuery, pageRequest, pageSchema, presentPage } from './pages.ts';
import { presentEndpoint, presentWebhookDelivery } from '../../dialects/voipbin/webhook.ts';
import {
  deliverySchema,
  endpointChangesSchema,
  endpointSchema,
  newEndpointSchema,
  strangerAmong,
} from './schemas/webhook.ts';
import { checkedTarget } from './webhook-target.ts';
import { recoverEndpoint, testDelivery } from './webhook-recovery.ts';
import { parseTime } from '../../dialects/voipbin/times.ts';
import { microsOf } from '../../domain/time.ts';
import { defined } from '../../domain/optional.ts';
import { newWebhookSecret } from '../../security/tokens.ts';
import { dbOf, runBatch } from '../../storage/db.ts';
import {
  findApiEndpoint,
  insertEndpoint,
  listEndpoints,
  newEndpointRow,
  rotatedSecret,
  updateEndpoint,
  type EndpointChanges,
  type WebhookEndpoint,
} from '../../storage/webhook-endpoints.ts';
import { enqueue } from '../../queues/jobs.ts';

const common = { tags: ['Webhooks'], security, middleware: allow('manager-or-admin') };
const one = failures('PERMISSION_DENIED', 'RESOURCE_NOT_FOUND');

const listRoute = createRoute({
  ...common,
  method: 'get',
  path: '/',
  summary: 'List webhook endpoints',
  request: { query: pageQuery },
  responses: { ...answer(pageSchema(endpointSchema), 'Newest first'), ...failures('PERMISSION_DENIED') },
});

const createEndpointRoute = createRoute({
  ...common,
  method: 'post',
  path: '/',
  summary: 'Create a webhook endpoint; its secret is returned only once',
  request: { headers: idempotencyHeaders, ...body(newEndpointSchema) },
  responses: {
    ...answer(endpointSchema, 'The endpoint with its secret'),
    ...failures('PERMISSION_DENIED', ...KEY_REFUSALS),
  },
});

const readRoute = createRoute({
  ...common,
  method: 'get',
  path: '/{id}',
  summary: 'Get a webhook endpoint',
  request: idParam,
  responses: { ...answer(endpointSchema, 'The endpoint'), ...one },
});

const updateRoute = createRoute({
  ...common,
  method: 'put',
  path: '/{id}',
  summary:
    'Update a webhook endpoint. After a new `secret` both secrets sign for one day; `status: enabled` clears earlier failures',
  request: { ...idParam, ...body(endpointChangesSchema) },
  responses: { ...answer(endpointSchema, 'The endpoint'), ...one },
});

const deleteRoute = createRoute({
  ...common,
  method: 'delete',
  path: '/{id}',
  summary: 'Delete a webhook endpoint',
  request: idParam,
  responses: { ...answer(endpointSchema, 'The deleted resource'), ...one },
});

const rotateRoute = createRoute({
  ...common,
  method: 'post',
  path: '/{id}/rotate_secret',
  summary: 'Rotate the secret of a webhook endpoint; for one day both secrets sign',
  request: { ...idParam, headers: idempotencyHeaders },
  responses: {
    ...answer(endpointSchema, 'The endpoint with its new secret'),
    ...failures('PERMISSION_DENIED', 'RESOURCE_NOT_FOUND', ...KEY_REFUSALS),
  },
});

const testRoute = createRoute({
  ...common,
  method: 'post',
  path: '/{id}/test',
  summary: 'Send a `webhook_test` event; the delivery shows the result',
  request: { ...idParam, headers: idempotencyHeaders },
  responses: {
    ...answer(deliverySchema, 'The delivery, `pending`'),
    ...failures('PERMISSION_DENIED', 'RESOURCE_NOT_FOUND', ...KEY_REFUSALS),
  },
});

const recoverRoute = createRoute({
  ...common,
  method: 'post',
  path: '/{id}/recover',
  summary: 'Redeliver the events since a time that failed or that the endpoint missed while it was disabled',
  request: {
    ...idParam,
    headers: idempotencyHeaders,
    ...body(z.object({ since: z.string().openapi({ example: '2026-01-01T00:00:00Z' }) })),
  },
  responses: {
    ...answer(z.object({ deliveries: z.number().int() }), 'The number of deliveries that were queued'),
    ...failures('PERMISSION_DENIED', 'RESOURCE_NOT_FOUND', 'WEBHOOK_ENDPOINT_DISABLED', ...KEY_REFUSALS),
  },
});

export const webhookEndpointRoutes = newRouter();

webhookEndpointRoutes.openapi(listRoute, async (c) => {
  const page = await listEndpoints(c.env, c.get('principal').customerId, pageRequest(c.req.valid('query')));
  return c.json(
    presentPage(page, (endpoint) => presentEndpoint(endpoint)),
    200,
  );
});

webhookEndpointRoutes.openapi(createEndpointRoute, async (c) => {
  const { url, name, events, secret = newWebhookSecret(), dialect, status } = c.req.valid('json');
  checkedTarget(c.env, url, 'url');
  checkNames(events, dialect);
  const made = await withIdempotencyKey(c, async () => {
    const { customerId } = c.get('principal');
    const chosen = {
      id: crypto.randomUUID(),
      customerId,
      kind: 'endpoint',
      name,
      url,
      method: 'POST',
      dialect,
      eventTypes: events,
    };
    const row = { ...(await newEndpointRow(c.env, chosen, secret, microsOf(Date.now()))), status };
    return { statements: [insertEndpoint(c.env, row)], answer: presentEndpoint(row, secret) };
  });
  return c.json(made, 200);
});

webhookEndpointRoutes.openapi(readRoute, async (c) =>
  c.json(presentEndpoint(await mine(c, c.req.valid('param').id)), 200),
);

webhookEndpointRoutes.openapi(updateRoute, async (c) => {
  const endpoint = await mine(c, c.req.valid('param').id);
  const { url, name, events, secret, status } = c.req.valid('json');
  if (url !== undefined) checkedTarget(c.env, url, 'url');
  checkNames(events ?? [], endpoint.dialect);
  const changes: EndpointChanges = {
    ...(secret === undefined ? {} : await rotatedSecret(c.env, endpoint, secret, Date.now())),
    ...defined({ url, name, eventTypes: events }),
    ...(status === undefined ? {} : { status, disabledReason: '', failingSince: null }),
    updatedAt: microsOf(Date.now()),
  };
  await runBatch(dbOf(c.env), [updateEndpoint(c.env, endpoint.id, changes)]);
  return c.json(presentEndpoint(await mine(c, endpoint.id), secret), 200);
});

webhookEndpointRoutes.openapi(deleteRoute, async (c) => {
  const endpoint = await mine(c, c.req.valid('param').id);
  const deletedAt = microsOf(Date.now());
  await runBatch(dbOf(c.env), [updateEndpoint(c.env, endpoint.id, { deletedAt, updatedAt: deletedAt })]);
  return c.json(presentEndpoint({ ...endpoint, updatedAt: deletedAt, deletedAt }), 200);
});

webhookEndpointRoutes.openapi(rotateRoute, async (c) => {
  const rotated = await withIdempotencyKey(c, async () => {
    const endpoint = await mine(c, c.req.valid('param').id);
    const secret = newWebhookSecret();
    const changes = await rotatedSecret(c.env, endpoint, secret, Date.now());
    return {
      statements: [updateEndpoint(c.env, endpoint.id, changes)],
      answer: presentEndpoint({ ...endpoint, ...changes }, secret),
    };
  });
  return c.json(rotated, 200);
});

webhookEndpointRoutes.openapi(testRoute, async (c) => {
  const queued = await withIdempotencyKey(c, async () => {
    const endpoint = await mine(c, c.req.valid('param').id);
    const { statements, delivery } = await testDelivery(c.env, endpoint, Date.now());
    return { statements, answer: presentWebhookDelivery(delivery) };
  });
  await enqueue(c.env.WEBHOOKS, [{ v: 1, webhookDeliveryId: queued.id }]);
  return c.json(queued, 200);
});

webhookEndpointRoutes.openapi(recoverRoute, async (c) => {
  const since = parseTime(c.req.valid('json').since);
  if (since === null) throw invalidField('since', 'must be a time, for example 2026-01-01T00:00:00Z');
  const recovered = await withIdempotencyKey(c, async () => {
    const endpoint = await mine(c, c.req.valid('param').id);
    if (endpoint.status !== 'enabled') throw new ApiError('WEBHOOK_ENDPOINT_DISABLED');
    return { answer: { deliveries: await recoverEndpoint(c.env, endpoint, since, Date.now()) } };
  });
  return c.json(recovered, 200);
});

function checkNames(names: string[], dialect: string): void {
  const stranger = strangerAmong(names, dialect);
  if (stranger !== undefined) throw invalidField('events', `${stranger} is not an event of the dialect ${dialect}`);
}

const mine = (c: AppContext, id: string): Promise<WebhookEndpoint> =>
  ownedOr404(c, findApiEndpoint, id, 'RESOURCE_NOT_FOUND', 'the webhook endpoint does not exist');
