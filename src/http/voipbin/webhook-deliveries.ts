import { createRoute, z } from '@hono/zod-openapi';
import type { AppContext } from '../context.ts';
import { ApiError } from '../errors.ts';
import { allow } from '../middleware/authenticate.ts';
import { withIdempotencyKey } from '../once.ts';
import { answer, failures, idempotencyHeaders, KEY_REFUSALS, security } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { pageQuery, pageRequest, pageSchema, presentPage } from './pages.ts';
import { presentWebhookDelivery } from '../../dialects/voipbin/webhook.ts';
import { deliveryFilterSchema, deliverySchema } from './schemas/webhook.ts';
import { enqueue } from '../../queues/jobs.ts';
import {
  findDelivery,
  listDeliveries,
  restartDelivery,
  type DeliveryFilter,
  type WebhookDelivery,
} from '../../storage/webhook-deliveries.ts';
import { findEndpoint } from '../../storage/webhook-endpoints.ts';

const common = { tags: ['Webhooks'], security, middleware: allow('manager-or-admin') };
const deliveryParam = {
  params: z.object({
    id: z
      .string()
      .max(200)
      .regex(/^evt_[0-9a-f]+_\d+(_\d)?\.[0-9a-f-]{36}$/, 'must be a webhook delivery id'),
  }),
};
const one = failures('PERMISSION_DENIED', 'RESOURCE_NOT_FOUND');

const listRoute = createRoute({
  ...common,
  method: 'get',
  path: '/',
  summary: 'List webhook deliveries',
  request: { query: pageQuery.extend(deliveryFilterSchema.shape) },
  responses: { ...answer(pageSchema(deliverySchema), 'Newest first'), ...failures('PERMISSION_DENIED') },
});

const readRoute = createRoute({
  ...common,
  method: 'get',
  path: '/{id}',
  summary: 'Get a webhook delivery',
  request: deliveryParam,
  responses: { ...answer(deliverySchema, 'The delivery'), ...one },
});

const retryRoute = createRoute({
  ...common,
  method: 'post',
  path: '/{id}/retry',
  summary: 'Retry a webhook delivery now, with the full retry schedule and the same webhook-id',
  request: { ...deliveryParam, headers: idempotencyHeaders },
  responses: {
    ...answer(deliverySchema, 'The delivery, `pending`'),
    ...failures('PERMISSION_DENIED', 'RESOURCE_NOT_FOUND', 'WEBHOOK_ENDPOINT_DISABLED', ...KEY_REFUSALS),
  },
});

export const webhookDeliveryRoutes = newRouter();

webhookDeliveryRoutes.openapi(listRoute, async (c) => {
  const query = c.req.valid('query');
  const page = await listDeliveries(c.env, c.get('principal').customerId, filterOf(query), pageRequest(query));
  return c.json(presentPage(page, presentWebhookDelivery), 200);
});

webhookDeliveryRoutes.openapi(readRoute, async (c) =>
  c.json(presentWebhookDelivery(await mine(c, c.req.valid('param').id)), 200),
);

webhookDeliveryRoutes.openapi(retryRoute, async (c) => {
  const restarted = await withIdempotencyKey(c, async () => {
    const delivery = await mine(c, c.req.valid('param').id);
    await requireEnabled(c, delivery);
    const now = Date.now();
    const pending = { ...delivery, status: 'pending', attempts: 0, nextAttemptMs: now };
    return { statements: [restartDelivery(c.env, delivery.id, now)], answer: presentWebhookDelivery(pending) };
  });
  await enqueue(c.env.WEBHOOKS, [{ v: 1, webhookDeliveryId: restarted.id }]);
  return c.json(restarted, 200);
});

async function requireEnabled(c: AppContext, delivery: WebhookDelivery): Promise<void> {
  const endpoint = await findEndpoint(c.env, delivery.customerId, delivery.endpointId);
  if (endpoint?.status !== 'enabled') throw new ApiError('WEBHOOK_ENDPOINT_DISABLED');
}

const filterOf = (query: z.infer<typeof deliveryFilterSchema>): DeliveryFilter => ({
  ...(query.endpoint_id === undefined ? {} : { endpointId: query.endpoint_id }),
  ...(query.status === undefined ? {} : { status: query.status }),
  ...(query.event_type === undefined ? {} : { eventType: query.event_type }),
  ...(query.conversation_id === undefined ? {} : { conversationId: query.conversation_id }),
});

async function mine(c: AppContext, id: string): Promise<WebhookDelivery> {
  const delivery = await findDelivery(c.env, c.get('principal').customerId, id);
  if (!delivery) throw new ApiError('RESOURCE_NOT_FOUND', 'the webhook delivery does not exist');
  return delivery;
}
