import { createRoute, type z } from '@hono/zod-openapi';
import type { AppContext } from '../context.ts';
import { ApiError } from '../errors.ts';
import { allow } from '../middleware/authenticate.ts';
import { withIdempotencyKey } from '../once.ts';
import { answer, body, failures, idempotencyHeaders, KEY_REFUSALS, idParam, security } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { checkedActions } from './flow-actions.ts';
import { pageQuery, pageRequest, pageSchema, presentPage } from './pages.ts';
import { presentFlow } from '../../dialects/voipbin/automation.ts';
import { flowChangesSchema, flowSchema, newFlowSchema } from './schemas/automation.ts';
import { microsOf } from '../../domain/time.ts';
import { findFlow, insertFlow, listFlows, updateFlow, type Flow, type FlowChanges } from '../../storage/flows.ts';

const common = { tags: ['Flows'], security, middleware: allow('manager-or-admin') };
const one = failures('PERMISSION_DENIED', 'FLOW_NOT_FOUND');

const listRoute = createRoute({
  ...common,
  method: 'get',
  path: '/',
  summary: 'List flows',
  request: { query: pageQuery },
  responses: { ...answer(pageSchema(flowSchema), 'Newest first'), ...failures('PERMISSION_DENIED') },
});

const createFlowRoute = createRoute({
  ...common,
  method: 'post',
  path: '/',
  summary: 'Create a flow, to be named as an account’s `message_flow_id`',
  description:
    'Actions: `conversation_send {text}`, `webhook_send {method, uri, data}`, `assistant_reply {assistant_id}`, `assign {owner_id}`, ' +
    '`sleep {duration}` (milliseconds), `branch {variable, equals, goto}`, `stop`. Texts, URIs and data may hold `${variables}`.',
  request: { headers: idempotencyHeaders, ...body(newFlowSchema) },
  responses: { ...answer(flowSchema, 'The flow'), ...failures('PERMISSION_DENIED', ...KEY_REFUSALS) },
});

const readRoute = createRoute({
  ...common,
  method: 'get',
  path: '/{id}',
  summary: 'Get a flow',
  request: idParam,
  responses: { ...answer(flowSchema, 'The flow'), ...one },
});

const updateRoute = createRoute({
  ...common,
  method: 'put',
  path: '/{id}',
  summary: 'Update a flow; activeflows that already run keep the actions with which they began',
  request: { ...idParam, ...body(flowChangesSchema) },
  responses: { ...answer(flowSchema, 'The flow'), ...one },
});

const deleteRoute = createRoute({
  ...common,
  method: 'delete',
  path: '/{id}',
  summary: 'Delete a flow; messages no longer start it, and activeflows that already run continue',
  request: idParam,
  responses: { ...answer(flowSchema, 'The deleted resource'), ...one },
});

export const flowRoutes = newRouter();

flowRoutes.openapi(listRoute, async (c) => {
  const page = await listFlows(c.env, c.get('principal').customerId, pageRequest(c.req.valid('query')));
  return c.json(presentPage(page, presentFlow), 200);
});

flowRoutes.openapi(createFlowRoute, async (c) => {
  const { name, detail, fenced, actions } = c.req.valid('json');
  const made = await withIdempotencyKey(c, async () => {
    const at = microsOf(Date.now());
    const flow: Flow = {
      id: crypto.randomUUID(),
      customerId: c.get('principal').customerId,
      name,
      detail,
      fenced,
      actions: await checkedActions(c, actions),
      createdAt: at,
      updatedAt: at,
      deletedAt: null,
    };
    return { statements: [insertFlow(c.env, flow)], answer: presentFlow(flow) };
  });
  return c.json(made, 200);
});

flowRoutes.openapi(readRoute, async (c) => c.json(presentFlow(await mine(c, c.req.valid('param').id)), 200));

flowRoutes.openapi(updateRoute, async (c) => {
  const flow = await mine(c, c.req.valid('param').id);
  const changes = await changesOf(c, c.req.valid('json'));
  const updatedAt = microsOf(Date.now());
  await updateFlow(c.env, flow, changes, updatedAt);
  return c.json(presentFlow({ ...flow, ...changes, updatedAt }), 200);
});

flowRoutes.openapi(deleteRoute, async (c) => {
  const flow = await mine(c, c.req.valid('param').id);
  const deletedAt = microsOf(Date.now());
  await updateFlow(c.env, flow, { deletedAt }, deletedAt);
  return c.json(presentFlow({ ...flow, updatedAt: deletedAt, deletedAt }), 200);
});

async function changesOf(c: AppContext, wanted: z.infer<typeof flowChangesSchema>): Promise<FlowChanges> {
  const { name, detail, fenced, actions } = wanted;
  return {
    ...(name === undefined ? {} : { name }),
    ...(detail === undefined ? {} : { detail }),
    ...(fenced === undefined ? {} : { fenced }),
    ...(actions === undefined ? {} : { actions: await checkedActions(c, actions) }),
  };
}

async function mine(c: AppContext, id: string): Promise<Flow> {
  const flow = await findFlow(c.env, c.get('principal').customerId, id);
  if (!flow) throw new ApiError('FLOW_NOT_FOUND');
  return flow;
}
