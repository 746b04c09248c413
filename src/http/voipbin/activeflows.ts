import { createRoute } from '@hono/zod-openapi';
import type { AppContext } from '../context.ts';
import { ApiError } from '../errors.ts';
import { allow } from '../middleware/authenticate.ts';
import { withIdempotencyKey } from '../once.ts';
import { answer, failures, idempotencyHeaders, KEY_REFUSALS, idParam, security } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { pageQuery, pageRequest, pageSchema, presentPage } from './pages.ts';
import { presentActiveflow } from '../../dialects/voipbin/automation.ts';
import { activeflowFilter, activeflowSchema } from './schemas/automation.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
import {
  endActiveflow,
  findActiveflow,
  listActiveflows,
  type Activeflow,
  type ActiveflowView,
} from '../../storage/activeflows.ts';

const common = { tags: ['Flows'], security, middleware: allow('manager-or-admin') };
const one = failures('PERMISSION_DENIED', 'ACTIVEFLOW_NOT_FOUND');

const listRoute = createRoute({
  ...common,
  method: 'get',
  path: '/',
  summary: 'List activeflows, the runs of flows',
  request: { query: pageQuery.extend(activeflowFilter) },
  responses: { ...answer(pageSchema(activeflowSchema), 'Newest first'), ...failures('PERMISSION_DENIED') },
});

const readRoute = createRoute({
  ...common,
  method: 'get',
  path: '/{id}',
  summary: 'Get an activeflow with its status and its executed actions',
  request: idParam,
  responses: { ...answer(activeflowSchema, 'The activeflow'), ...one },
});

const stopRoute = createRoute({
  ...common,
  method: 'post',
  path: '/{id}/stop',
  summary:
    'Stop an activeflow; it sends nothing after the response. An activeflow that has ended is returned unchanged',
  request: { ...idParam, headers: idempotencyHeaders },
  responses: {
    ...answer(activeflowSchema, 'The activeflow'),
    ...failures('PERMISSION_DENIED', 'ACTIVEFLOW_NOT_FOUND', ...KEY_REFUSALS),
  },
});

export const activeflowRoutes = newRouter();

activeflowRoutes.openapi(listRoute, async (c) => {
  const query = c.req.valid('query');
  const filter = {
    ...(query.flow_id === undefined ? {} : { flowId: query.flow_id }),
    ...(query.reference_id === undefined ? {} : { conversationId: query.reference_id }),
    ...(query.status === undefined ? {} : { status: query.status }),
  };
  const page = await listActiveflows(c.env, c.get('principal').customerId, filter, pageRequest(query));
  return c.json(presentPage(page, presentActiveflow), 200);
});

activeflowRoutes.openapi(readRoute, async (c) =>
  c.json(presentActiveflow(await mine(c, c.req.valid('param').id)), 200),
);

activeflowRoutes.openapi(stopRoute, async (c) => {
  const stopped = await withIdempotencyKey(c, async () => {
    const { activeflow } = await mine(c, c.req.valid('param').id);
    if (activeflow.status === 'running') await stop(c.env, activeflow);
    const answer = presentActiveflow(await mine(c, activeflow.id));
    return { answer, about: activeflow.conversationId };
  });
  return c.json(stopped, 200);
});

/** The conversation's object first: it refuses from then on whatever the Workflow is just about to send. */
async function stop(env: Env, { id, customerId, conversationId }: Activeflow): Promise<void> {
  await callObject(() => getConversation(env, conversationId).stopActiveflow(customerId, id));
  await endActiveflow(env, id, 'stopped', 'STOPPED', Date.now());
  // The row is what counts: a Workflow that wakes up and finds it stopped ends by itself.
  await env.FLOWS.get(id)
    .then((instance) => instance.terminate())
    .catch(() => undefined);
}

async function mine(c: AppContext, id: string): Promise<ActiveflowView> {
  const activeflow = await findActiveflow(c.env, c.get('principal').customerId, id);
  if (!activeflow) throw new ApiError('ACTIVEFLOW_NOT_FOUND');
  return activeflow;
}
