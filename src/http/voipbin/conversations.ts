import { createRoute, z, type RouteHandler } from '@hono/zod-openapi';
import type { AppContext, AppEnv } from '../context.ts';
import { ApiError, invalidField, valueOf } from '../errors.ts';
import { answer, body, failures, idempotencyHeaders, KEY_REFUSALS, idParam, uuid, security } from '../openapi.ts';
import { withIdempotencyKey } from '../once.ts';
import { ownedOr400 } from '../owned.ts';
import { newRouter } from '../router.ts';
import { guardOf, ownerActing, readableConversation, type Access } from './access.ts';
import { pageQuery, pageRequest, pageSchema, presentPage } from './pages.ts';
import { conversationChangesSchema, conversationSchema } from './schemas/conversation.ts';
import { conversationTypes } from '../../channels/registry.ts';
import { presentConversation } from '../../dialects/voipbin/conversation.ts';
import type { UpdateCommand } from '../../domain/conversation/commands.ts';
import { isUuid, NIL_UUID } from '../../domain/ids.ts';
import { actorOf } from '../../domain/permissions.ts';
import { searchQuery } from '../../domain/conversation/search.ts';
import { defined } from '../../domain/optional.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
import { findAgent } from '../../storage/agents.ts';
import { listConversations, type ConversationFilter } from '../../storage/conversations.ts';

const common = { tags: ['Conversations'], security };
const managers = { ...common, middleware: guardOf('managers') };

const listQuery = pageQuery.extend({
  owner_id: uuid.optional(),
  type: z.enum(conversationTypes).optional(),
  state: z.enum(['active', 'idle', 'closed']).optional(),
  tag: z.string().max(64).optional(),
  archived: z
    .enum(['true', 'false'])
    .optional()
    .openapi({ description: 'If absent, archived and other conversations are returned' }),
  account_id: uuid.optional(),
  peer: z.string().max(255).optional().openapi({ description: 'The contact’s address, as `peer.target` shows it' }),
  q: z.string().trim().max(200).optional().openapi({
    description:
      'Full-text search in messages, file names, names, tags and addresses. All words must match; each may be the beginning of a word',
  }),
});

const listRoute = () =>
  createRoute({
    ...common,
    method: 'get',
    path: '/',
    summary: 'List conversations; an agent must pass its own id as `owner_id`',
    request: { query: listQuery },
    responses: { ...answer(pageSchema(conversationSchema), 'Newest first'), ...failures('PERMISSION_DENIED') },
  });

const readRoute = (access: Access) =>
  createRoute({
    ...common,
    middleware: guardOf(access),
    method: 'get',
    path: '/{id}',
    summary: 'Get a conversation; the ETag is its sequence',
    request: idParam,
    responses: {
      ...answer(conversationSchema, 'The conversation'),
      ...failures('PERMISSION_DENIED', 'CONVERSATION_NOT_FOUND'),
    },
  });

const updateRoute = () =>
  createRoute({
    ...managers,
    method: 'put',
    path: '/{id}',
    summary: 'Assign, rename, tag or close a conversation, or change its mode',
    request: { ...idParam, ...body(conversationChangesSchema) },
    responses: {
      ...answer(conversationSchema, 'The conversation'),
      ...failures('PERMISSION_DENIED', 'CONVERSATION_NOT_FOUND', 'CONVERSATION_CLOSED'),
    },
  });

const deleteRoute = () =>
  createRoute({
    ...managers,
    method: 'delete',
    path: '/{id}',
    summary: 'Delete a conversation (soft delete); the contact’s next message opens a new one',
    request: idParam,
    responses: {
      ...answer(conversationSchema, 'The deleted resource'),
      ...failures('PERMISSION_DENIED', 'CONVERSATION_NOT_FOUND'),
    },
  });

const unassignRoute = () =>
  createRoute({
    ...common,
    method: 'post',
    path: '/{id}/unassign',
    summary: 'Remove the owner; for managers and the owning agent',
    request: { ...idParam, headers: idempotencyHeaders },
    responses: {
      ...answer(conversationSchema, 'The conversation without an owner; automation answers again'),
      ...failures('PERMISSION_DENIED', 'CONVERSATION_NOT_FOUND', ...KEY_REFUSALS),
    },
  });

/** `/conversations`, and with the owning agent let in `/service_agents/conversations`. */
export function conversationRoutes(access: Access) {
  const routes = newRouter();

  routes.openapi(listRoute(), async (c) => {
    const query = c.req.valid('query');
    const filter = access === 'managers' ? managersFilter(c, query) : ownersFilter(c, query);
    const { customerId } = c.get('principal');
    const search = query.q ? searchQuery(customerId, query.q) : undefined;
    // Punctuation alone finds nothing.
    const page =
      search === null
        ? { rows: [], next: null }
        : await listConversations(c.env, customerId, { ...filter, search }, pageRequest(query));
    return c.json(presentPage(page, presentConversation), 200);
  });

  routes.openapi(readRoute(access), async (c) => {
    const state = await readableConversation(c, c.req.valid('param').id);
    c.header('ETag', `"${state.sequence}"`);
    return c.json(presentConversation(state), 200);
  });

  routes.openapi(updateRoute(), async (c) => {
    const { id } = c.req.valid('param');
    const command = await updateCommand(c, c.req.valid('json'));
    const { conversation } = valueOf(await callObject(() => getConversation(c.env, id).update(command)));
    return c.json(presentConversation(conversation), 200);
  });

  routes.openapi(unassignRoute(), async (c) => {
    const { id } = c.req.valid('param');
    const principal = c.get('principal');
    const released = await withIdempotencyKey(c, async () => {
      const stub = getConversation(c.env, id);
      const changed = await stub.unassign(principal.customerId, actorOf(principal), ownerActing(c));
      return { about: id, answer: presentConversation(valueOf(changed).conversation) };
    });
    return c.json(released, 200);
  });

  if (access === 'managers') routes.openapi(deleteRoute(), removeConversation);
  return routes;
}

const removeConversation: RouteHandler<ReturnType<typeof deleteRoute>, AppEnv> = async (c) => {
  const { id } = c.req.valid('param');
  const state = valueOf(await getConversation(c.env, id).remove(c.get('principal').customerId));
  return c.json(presentConversation(state), 200);
};

/** Seed 001: an agent must name itself; any other value, or none, is 403. */
function managersFilter(c: AppContext, query: ListQuery): ConversationFilter {
  const agent = ownerActing(c);
  if (agent !== null && agent !== query.owner_id) throw new ApiError('PERMISSION_DENIED');
  return filterOf(query);
}

/** An agent sees its own, whatever it asks for. */
function ownersFilter(c: AppContext, query: ListQuery): ConversationFilter {
  const agent = ownerActing(c);
  return agent === null ? filterOf(query) : { ...filterOf(query), ownerId: agent };
}

type ListQuery = z.infer<typeof listQuery>;

const filterOf = (query: ListQuery): ConversationFilter => ({
  ...(query.owner_id === undefined || query.owner_id === NIL_UUID ? {} : { ownerId: query.owner_id }),
  ...defined({
    type: query.type,
    lifecycle: query.state,
    tag: query.tag,
    archived: query.archived === undefined ? undefined : query.archived === 'true',
    accountId: query.account_id,
    peer: query.peer,
  }),
});

async function updateCommand(c: AppContext, wanted: z.infer<typeof conversationChangesSchema>): Promise<UpdateCommand> {
  const principal = c.get('principal');
  const { name, detail, tags, archived, ai_mode: aiMode, owner_id: owner } = wanted;
  return {
    customerId: principal.customerId,
    actor: actorOf(principal),
    ...defined({
      name,
      detail,
      archived,
      tags: tags === undefined ? undefined : [...new Set(tags)],
      aiMode,
      ownerId: owner === undefined ? undefined : await checkedOwner(c, owner.toLowerCase()),
    }),
  };
}

/** Seed 001: the owner is derived from the id alone; an unknown or foreign agent is 400. */
async function checkedOwner(c: AppContext, ownerId: string): Promise<string | null> {
  if (ownerId === NIL_UUID) return null;
  if (!isUuid(ownerId)) throw invalidField('owner_id', 'must be a UUID');
  return (await ownedOr400(c, findAgent, ownerId, 'owner_id', 'agents')).id;
}
