import { createRoute, z } from '@hono/zod-openapi';
import type { AppContext } from '../context.ts';
import { ApiError, invalidField, valueOf } from '../errors.ts';
import { allow } from '../middleware/authenticate.ts';
import { answer, body, failures, idParam, uuid, security } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { pageQuery, pageRequest, pageSchema, presentPage } from './pages.ts';
import { conversationChangesSchema, conversationSchema } from './schemas/conversation.ts';
import { presentConversation } from '../../dialects/voipbin/conversation.ts';
import type { UpdateCommand } from '../../domain/conversation/commands.ts';
import { isUuid, NIL_UUID } from '../../domain/ids.ts';
import { hasRole } from '../../domain/permissions.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
import { findAgent } from '../../storage/agents.ts';
import { listConversations, type ConversationFilter } from '../../storage/conversations.ts';

const common = { tags: ['Conversations'], security };
const managers = { ...common, middleware: allow('manager-or-admin') };

const listQuery = pageQuery.extend({
  owner_id: uuid.optional(),
  type: z.string().max(32).optional(),
  state: z.enum(['active', 'idle', 'closed']).optional(),
  tag: z.string().max(64).optional(),
  account_id: uuid.optional(),
  peer: z.string().max(255).optional().openapi({ description: 'The contact’s address, as `peer.target` shows it' }),
});

const listRoute = createRoute({
  ...common,
  method: 'get',
  path: '/',
  summary: 'List conversations; an agent must ask for its own (`owner_id`)',
  request: { query: listQuery },
  responses: { ...answer(pageSchema(conversationSchema), 'Newest first'), ...failures('PERMISSION_DENIED') },
});

const readRoute = createRoute({
  ...managers,
  method: 'get',
  path: '/{id}',
  summary: 'One conversation; the ETag is its sequence',
  request: idParam,
  responses: {
    ...answer(conversationSchema, 'The conversation'),
    ...failures('PERMISSION_DENIED', 'CONVERSATION_NOT_FOUND'),
  },
});

const updateRoute = createRoute({
  ...managers,
  method: 'put',
  path: '/{id}',
  summary: 'Assign, rename, tag, change the mode or close (seed 001)',
  request: { ...idParam, ...body(conversationChangesSchema) },
  responses: {
    ...answer(conversationSchema, 'The conversation'),
    ...failures('PERMISSION_DENIED', 'CONVERSATION_NOT_FOUND', 'CONVERSATION_CLOSED'),
  },
});

const deleteRoute = createRoute({
  ...managers,
  method: 'delete',
  path: '/{id}',
  summary: 'Delete a conversation (soft): the contact’s next message opens a new one',
  request: idParam,
  responses: {
    ...answer(conversationSchema, 'As it was deleted'),
    ...failures('PERMISSION_DENIED', 'CONVERSATION_NOT_FOUND'),
  },
});

export const conversationRoutes = newRouter();

conversationRoutes.openapi(listRoute, async (c) => {
  const query = c.req.valid('query');
  requireOwnList(c, query.owner_id);
  const page = await listConversations(c.env, c.get('principal').customerId, filterOf(query), pageRequest(query));
  return c.json(presentPage(page, presentConversation), 200);
});

conversationRoutes.openapi(readRoute, async (c) => {
  const { id } = c.req.valid('param');
  const state = valueOf(await callObject(() => getConversation(c.env, id).read(c.get('principal').customerId)));
  c.header('ETag', `"${state.sequence}"`);
  return c.json(presentConversation(state), 200);
});

conversationRoutes.openapi(updateRoute, async (c) => {
  const { id } = c.req.valid('param');
  const command = await updateCommand(c, c.req.valid('json'));
  const state = valueOf(await callObject(() => getConversation(c.env, id).update(command)));
  return c.json(presentConversation(state), 200);
});

conversationRoutes.openapi(deleteRoute, async (c) => {
  const { id } = c.req.valid('param');
  const state = valueOf(await getConversation(c.env, id).remove(c.get('principal').customerId));
  return c.json(presentConversation(state), 200);
});

/** Seed 001: an agent must name itself; any other value, or none, is 403. */
function requireOwnList(c: AppContext, ownerId: string | undefined): void {
  const principal = c.get('principal');
  const own = principal.kind === 'agent' && principal.agentId === ownerId;
  if (!own && !hasRole(principal, 'manager-or-admin')) throw new ApiError('PERMISSION_DENIED');
}

const filterOf = (query: z.infer<typeof listQuery>): ConversationFilter => ({
  ...(query.owner_id === undefined || query.owner_id === NIL_UUID ? {} : { ownerId: query.owner_id }),
  ...(query.type === undefined ? {} : { type: query.type }),
  ...(query.state === undefined ? {} : { lifecycle: query.state }),
  ...(query.tag === undefined ? {} : { tag: query.tag }),
  ...(query.account_id === undefined ? {} : { accountId: query.account_id }),
  ...(query.peer === undefined ? {} : { peer: query.peer }),
});

async function updateCommand(c: AppContext, wanted: z.infer<typeof conversationChangesSchema>): Promise<UpdateCommand> {
  const { customerId } = c.get('principal');
  const { name, detail, tags, ai_mode: aiMode, owner_id: owner } = wanted;
  return {
    customerId,
    ...(name === undefined ? {} : { name }),
    ...(detail === undefined ? {} : { detail }),
    ...(tags === undefined ? {} : { tags: [...new Set(tags)] }),
    ...(aiMode === undefined ? {} : { aiMode }),
    ...(owner === undefined ? {} : { ownerId: await checkedOwner(c, owner.toLowerCase()) }),
  };
}

/** Seed 001: the owner is derived from the id alone; an unknown or foreign agent is 400. */
async function checkedOwner(c: AppContext, ownerId: string): Promise<string | null> {
  if (ownerId === NIL_UUID) return null;
  if (!isUuid(ownerId)) throw invalidField('owner_id', 'must be a UUID');
  const agent = await findAgent(c.env, c.get('principal').customerId, ownerId);
  if (!agent) throw invalidField('owner_id', 'is not an agent of yours');
  return agent.id;
}
