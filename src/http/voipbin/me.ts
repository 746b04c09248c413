import { createRoute } from '@hono/zod-openapi';
import type { AppContext } from '../context.ts';
import { ApiError } from '../errors.ts';
import { agentsOnly } from '../middleware/authenticate.ts';
import { answer, failures, idParam, security } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { pageQuery, pageRequest, pageSchema, presentPage } from './pages.ts';
import { presentAgent } from '../../dialects/voipbin/identity.ts';
import { agentSchema } from './schemas/identity.ts';
import { findAgent, listAgents } from '../../storage/agents.ts';

const common = { tags: ['Identity'], security };

const me = (path: string) =>
  createRoute({
    ...common,
    method: 'get',
    path,
    summary: 'The agent behind the token',
    middleware: agentsOnly,
    responses: { ...answer(agentSchema, 'The agent'), ...failures('AGENT_AUTH_REQUIRED') },
  });

const listRoute = createRoute({
  ...common,
  method: 'get',
  path: '/service_agents/agents',
  summary: 'The customer’s agents, for any agent',
  request: { query: pageQuery },
  responses: { ...answer(pageSchema(agentSchema), 'Newest first'), ...failures() },
});

const readRoute = createRoute({
  ...common,
  method: 'get',
  path: '/service_agents/agents/{id}',
  summary: 'One of the customer’s agents, for any agent',
  request: idParam,
  responses: { ...answer(agentSchema, 'The agent'), ...failures('AGENT_NOT_FOUND') },
});

export const meRoutes = newRouter();

meRoutes.openapi(me('/me'), async (c) => c.json(await self(c), 200));

meRoutes.openapi(me('/service_agents/me'), async (c) => c.json(await self(c), 200));

meRoutes.openapi(listRoute, async (c) => {
  const page = await listAgents(c.env, c.get('principal').customerId, pageRequest(c.req.valid('query')));
  return c.json(presentPage(page, presentAgent), 200);
});

meRoutes.openapi(readRoute, async (c) => c.json(await presented(c, c.req.valid('param').id), 200));

function self(c: AppContext) {
  const principal = c.get('principal');
  if (principal.kind !== 'agent') throw new ApiError('AGENT_AUTH_REQUIRED');
  return presented(c, principal.agentId);
}

async function presented(c: AppContext, id: string) {
  const agent = await findAgent(c.env, c.get('principal').customerId, id);
  if (!agent) throw new ApiError('AGENT_NOT_FOUND');
  return presentAgent(agent);
}
