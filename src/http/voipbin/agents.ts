import { createRoute } from '@hono/zod-openapi';
import type { AppContext } from '../context.ts';
import { ApiError } from '../errors.ts';
import { allow } from '../middleware/authenticate.ts';
import { withIdempotencyKey } from '../once.ts';
import { answer, body, failures, idempotencyHeaders, KEY_REFUSALS, idParam, security } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { newAgentRow } from './new-identity.ts';
import { pageQuery, pageRequest, pageSchema, presentPage } from './pages.ts';
import { presentAgent } from '../../dialects/voipbin/identity.ts';
import {
  agentChangesSchema,
  agentPasswordSchema,
  agentPermissionSchema,
  agentSchema,
  agentStatusSchema,
  newAgentSchema,
} from './schemas/identity.ts';
import { hasRole, PERMISSION } from '../../domain/permissions.ts';
import { microsOf } from '../../domain/time.ts';
import { hashPassword } from '../../security/password.ts';
import {
  changeRights,
  deleteAgent,
  findAgent,
  forgetAgent,
  insertAgent,
  listAgents,
  updateAgent,
  type Agent,
} from '../../storage/agents.ts';
import { dbOf, isTaken, runBatch, type Statement } from '../../storage/db.ts';

const common = { tags: ['Identity'], security };
const managers = { ...common, middleware: allow('manager-or-admin') };

const listRoute = createRoute({
  ...managers,
  method: 'get',
  path: '/',
  summary: 'List agents',
  request: { query: pageQuery },
  responses: { ...answer(pageSchema(agentSchema), 'Newest first'), ...failures('PERMISSION_DENIED') },
});

const createAgentRoute = createRoute({
  ...managers,
  method: 'post',
  path: '/',
  summary: 'Create an agent',
  request: { headers: idempotencyHeaders, ...body(newAgentSchema) },
  responses: {
    ...answer(agentSchema, 'The agent'),
    ...failures('PERMISSION_DENIED', 'ALREADY_EXISTS', ...KEY_REFUSALS),
  },
});

const readRoute = createRoute({
  ...common,
  method: 'get',
  path: '/{id}',
  summary: 'Get an agent; an agent without further permission only itself',
  request: idParam,
  responses: { ...answer(agentSchema, 'The agent'), ...failures('PERMISSION_DENIED', 'AGENT_NOT_FOUND') },
});

const updateRoute = createRoute({
  ...common,
  method: 'put',
  path: '/{id}',
  summary: 'Update an agent’s name or detail',
  request: { ...idParam, ...body(agentChangesSchema) },
  responses: { ...answer(agentSchema, 'The agent'), ...failures('PERMISSION_DENIED', 'AGENT_NOT_FOUND') },
});

const statusRoute = createRoute({
  ...common,
  method: 'put',
  path: '/{id}/status',
  summary: 'Set an agent’s status',
  request: { ...idParam, ...body(agentStatusSchema) },
  responses: { ...answer(agentSchema, 'The agent'), ...failures('PERMISSION_DENIED', 'AGENT_NOT_FOUND') },
});

const permissionRoute = createRoute({
  ...managers,
  method: 'put',
  path: '/{id}/permission',
  summary: 'Set an agent’s permission; its tokens are revoked',
  request: { ...idParam, ...body(agentPermissionSchema) },
  responses: { ...answer(agentSchema, 'The agent'), ...failures('PERMISSION_DENIED', 'AGENT_NOT_FOUND') },
});

const passwordRoute = createRoute({
  ...managers,
  method: 'put',
  path: '/{id}/password',
  summary: 'Set an agent’s password; its tokens are revoked',
  request: { ...idParam, ...body(agentPasswordSchema) },
  responses: { ...answer(agentSchema, 'The agent'), ...failures('PERMISSION_DENIED', 'AGENT_NOT_FOUND') },
});

const deleteRoute = createRoute({
  ...managers,
  method: 'delete',
  path: '/{id}',
  summary: 'Delete an agent; its tokens are revoked',
  request: idParam,
  responses: { ...answer(agentSchema, 'The deleted resource'), ...failures('PERMISSION_DENIED', 'AGENT_NOT_FOUND') },
});

export const agentRoutes = newRouter();

agentRoutes.openapi(listRoute, async (c) => {
  const page = await listAgents(c.env, c.get('principal').customerId, pageRequest(c.req.valid('query')));
  return c.json(presentPage(page, presentAgent), 200);
});

agentRoutes.openapi(createAgentRoute, async (c) => {
  const wanted = c.req.valid('json');
  requireGrant(c, wanted.permission);
  const made = await withIdempotencyKey(c, async () => {
    const agent = await newAgentRow(c.get('principal').customerId, wanted, Date.now());
    return { statements: [insertAgent(c.env, agent)], answer: presentAgent(agent) };
  }).catch(refuseTaken);
  return c.json(made, 200);
});

agentRoutes.openapi(readRoute, async (c) => {
  const { id } = c.req.valid('param');
  requireSelfOrManager(c, id);
  return c.json(presentAgent(await mine(c, id)), 200);
});

agentRoutes.openapi(updateRoute, async (c) => {
  const { id } = c.req.valid('param');
  await requireMayChange(c, id);
  const { name, detail } = c.req.valid('json');
  const changes = { ...(name === undefined ? {} : { name }), ...(detail === undefined ? {} : { detail }) };
  return c.json(presentAgent(await change(c, id, () => updateAgent(c.env, id, changes, microsOf(Date.now())))), 200);
});

agentRoutes.openapi(statusRoute, async (c) => {
  const { id } = c.req.valid('param');
  await requireMayChange(c, id);
  const { status } = c.req.valid('json');
  return c.json(presentAgent(await change(c, id, () => updateAgent(c.env, id, { status }, microsOf(Date.now())))), 200);
});

agentRoutes.openapi(permissionRoute, async (c) => {
  const { id } = c.req.valid('param');
  const { permission } = c.req.valid('json');
  requireGrant(c, permission);
  requireGrant(c, (await mine(c, id)).permission);
  return c.json(
    presentAgent(await change(c, id, () => changeRights(c.env, id, { permission }, microsOf(Date.now())))),
    200,
  );
});

agentRoutes.openapi(passwordRoute, async (c) => {
  const { id } = c.req.valid('param');
  requireGrant(c, (await mine(c, id)).permission);
  const passwordHash = await hashPassword(c.req.valid('json').password);
  return c.json(
    presentAgent(await change(c, id, () => changeRights(c.env, id, { passwordHash }, microsOf(Date.now())))),
    200,
  );
});

agentRoutes.openapi(deleteRoute, async (c) => {
  const agent = await mine(c, c.req.valid('param').id);
  requireGrant(c, agent.permission);
  const deletedAt = microsOf(Date.now());
  await runBatch(dbOf(c.env), [deleteAgent(c.env, agent, deletedAt)]);
  forgetAgent(agent.id);
  return c.json(presentAgent({ ...agent, updatedAt: deletedAt, deletedAt }), 200);
});

async function mine(c: AppContext, id: string): Promise<Agent> {
  const agent = await findAgent(c.env, c.get('principal').customerId, id);
  if (!agent) throw new ApiError('AGENT_NOT_FOUND');
  return agent;
}

/** Changes one of the customer's agents, here and in what this isolate remembers of it. */
async function change(c: AppContext, id: string, statement: () => Statement): Promise<Agent> {
  await mine(c, id);
  await runBatch(dbOf(c.env), [statement()]);
  forgetAgent(id);
  return mine(c, id);
}

function isSelf(c: AppContext, id: string): boolean {
  const principal = c.get('principal');
  return principal.kind === 'agent' && principal.agentId === id;
}

function requireSelfOrManager(c: AppContext, id: string): void {
  if (!isSelf(c, id) && !hasRole(c.get('principal'), 'manager-or-admin')) throw new ApiError('PERMISSION_DENIED');
}

/** An agent changes itself; a manager changes agents, and an administrator everybody. */
async function requireMayChange(c: AppContext, id: string): Promise<void> {
  requireSelfOrManager(c, id);
  if (!isSelf(c, id)) requireGrant(c, (await mine(c, id)).permission);
}

/** A manager cannot make, change or remove an administrator: nobody hands out more than it has. */
function requireGrant(c: AppContext, permission: number): void {
  if ((permission & PERMISSION.admin) !== 0 && !hasRole(c.get('principal'), 'admin'))
    throw new ApiError('PERMISSION_DENIED');
}

function refuseTaken(error: unknown): never {
  if (isTaken(error, 'agents.username'))
    throw new ApiError('ALREADY_EXISTS', 'username: is already taken', { username: 'is already taken' });
  throw error;
}
