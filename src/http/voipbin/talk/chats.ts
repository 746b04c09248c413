import { createRoute, type RouteHandler } from '@hono/zod-openapi';
import type { AppContext, AppEnv } from '../../context.ts';
import { valueOf } from '../../errors.ts';
import { agentsOnly } from '../../middleware/authenticate.ts';
import { withIdempotencyKey } from '../../once.ts';
import { answer, body, failures, idempotencyHeaders, KEY_REFUSALS, idParam, security } from '../../openapi.ts';
import { newRouter } from '../../router.ts';
import { pageQuery, pageRequest, pageSchema, presentPage } from '../pages.ts';
import { openTalk } from './open.ts';
import { actorIn, newcomer, selfOf } from './people.ts';
import { newTalkSchema, talkChangesSchema, talkSchema } from './schemas.ts';
import { presentTalk } from '../../../dialects/voipbin/talk.ts';
import { readSchema } from '../../../dialects/voipbin/talk-bodies.ts';
import { callObject, getTalk } from '../../../objects/stubs.ts';
import type { TalkView } from '../../../objects/talk/commands.ts';
import { listChannels, listTalksOf } from '../../../storage/talks.ts';

const common = { tags: ['Talk'], security, middleware: agentsOnly };
const oneTalk = answer(talkSchema, 'The talk');

const listRoute = () =>
  createRoute({
    ...common,
    method: 'get',
    path: '/',
    summary: 'List the talks that you participate in',
    request: { query: pageQuery },
    responses: { ...answer(pageSchema(talkSchema), 'Newest first'), ...failures('AGENT_AUTH_REQUIRED') },
  });

const createTalkRoute = () =>
  createRoute({
    ...common,
    method: 'post',
    path: '/',
    summary: 'Create a talk; you become a participant',
    description: 'A `normal` talk is 1:1; if the two agents already have one, it is returned.',
    request: { headers: idempotencyHeaders, ...body(newTalkSchema) },
    responses: { ...oneTalk, ...failures('AGENT_AUTH_REQUIRED', ...KEY_REFUSALS) },
  });

const readRoute = () =>
  createRoute({
    ...common,
    method: 'get',
    path: '/{id}',
    summary: 'Get a talk; for its participants, and for a channel any agent',
    request: idParam,
    responses: { ...oneTalk, ...failures('AGENT_AUTH_REQUIRED', 'PERMISSION_DENIED', 'TALK_NOT_FOUND') },
  });

const updateRoute = () =>
  createRoute({
    ...common,
    method: 'put',
    path: '/{id}',
    summary: 'Update the name or detail of a talk',
    request: { ...idParam, ...body(talkChangesSchema) },
    responses: { ...oneTalk, ...failures('AGENT_AUTH_REQUIRED', 'PERMISSION_DENIED', 'TALK_NOT_FOUND') },
  });

const deleteRoute = () =>
  createRoute({
    ...common,
    method: 'delete',
    path: '/{id}',
    summary: 'Delete a talk (soft delete) for all participants',
    request: idParam,
    responses: {
      ...answer(talkSchema, 'The deleted resource'),
      ...failures('AGENT_AUTH_REQUIRED', 'PERMISSION_DENIED', 'TALK_NOT_FOUND'),
    },
  });

const closeRoute = () =>
  createRoute({
    ...common,
    method: 'post',
    path: '/{id}/close',
    summary: 'Close a talk; it accepts no messages until it is reopened',
    request: { ...idParam, headers: idempotencyHeaders },
    responses: {
      ...oneTalk,
      ...failures('AGENT_AUTH_REQUIRED', 'PERMISSION_DENIED', 'TALK_NOT_FOUND', ...KEY_REFUSALS),
    },
  });

const reopenRoute = () =>
  createRoute({
    ...common,
    method: 'post',
    path: '/{id}/reopen',
    summary: 'Reopen a talk',
    description:
      'If all participants have left, an administrator can reopen a talk, and any agent a channel; that agent becomes a participant.',
    request: { ...idParam, headers: idempotencyHeaders },
    responses: {
      ...oneTalk,
      ...failures('AGENT_AUTH_REQUIRED', 'PERMISSION_DENIED', 'TALK_NOT_FOUND', ...KEY_REFUSALS),
    },
  });

const markReadRoute = () =>
  createRoute({
    ...common,
    method: 'put',
    path: '/{id}/read',
    summary: 'Set your read position; it never moves back',
    request: { ...idParam, ...body(readSchema) },
    responses: {
      ...answer(talkSchema, 'The talk with its current unread count'),
      ...failures('AGENT_AUTH_REQUIRED', 'PERMISSION_DENIED', 'TALK_NOT_FOUND'),
    },
  });

const present = ({ state, unread }: TalkView) => ({ ...presentTalk(state), unread_count: unread });

/** `/service_agents/talk_chats` and `/talks`. */
export function talkRoutes() {
  const routes = newRouter();

  routes.openapi(listRoute(), async (c) => {
    const { customerId, agentId } = actorIn(c);
    const page = await listTalksOf(c.env, customerId, agentId, pageRequest(c.req.valid('query')));
    return c.json(presentPage(page, present), 200);
  });

  routes.openapi(createTalkRoute(), async (c) => {
    return c.json(await answered(c, () => openTalk(c, c.req.valid('json'))), 200);
  });

  routes.openapi(readRoute(), async (c) => {
    const { id } = c.req.valid('param');
    return c.json(present(valueOf(await callObject(() => getTalk(c.env, id).read(actorIn(c, id))))), 200);
  });

  routes.openapi(updateRoute(), async (c) => {
    const { id } = c.req.valid('param');
    const { name, detail } = c.req.valid('json');
    const changes = { ...(name === undefined ? {} : { name }), ...(detail === undefined ? {} : { detail }) };
    return c.json(present(valueOf(await callObject(() => getTalk(c.env, id).update(actorIn(c, id), changes)))), 200);
  });

  routes.openapi(deleteRoute(), async (c) => {
    const { id } = c.req.valid('param');
    return c.json(present(valueOf(await getTalk(c.env, id).remove(actorIn(c, id)))), 200);
  });

  routes.openapi(closeRoute(), closeTalk);
  routes.openapi(reopenRoute(), reopenTalk);

  routes.openapi(markReadRoute(), async (c) => {
    const { id } = c.req.valid('param');
    const { sequence } = c.req.valid('json');
    return c.json(present(valueOf(await callObject(() => getTalk(c.env, id).markRead(actorIn(c, id), sequence)))), 200);
  });
  return routes;
}

const closeTalk: RouteHandler<ReturnType<typeof closeRoute>, AppEnv> = async (c) => {
  const { id } = c.req.valid('param');
  return c.json(await answered(c, async () => valueOf(await getTalk(c.env, id).close(actorIn(c, id)))), 200);
};

const reopenTalk: RouteHandler<ReturnType<typeof reopenRoute>, AppEnv> = async (c) => {
  const { id } = c.req.valid('param');
  const reopen = async () => valueOf(await getTalk(c.env, id).reopen(actorIn(c, id), newcomer(await selfOf(c))));
  return c.json(await answered(c, reopen), 200);
};

const answered = (c: AppContext, make: () => Promise<TalkView>) =>
  withIdempotencyKey(c, async () => ({ answer: present(await make()) }));

const channelsRoute = createRoute({
  ...common,
  method: 'get',
  path: '/',
  summary: 'List all channels of the customer',
  request: { query: pageQuery },
  responses: { ...answer(pageSchema(talkSchema), 'Newest first'), ...failures('AGENT_AUTH_REQUIRED') },
});

/** `/service_agents/talk_channels`. */
export const talkChannelRoutes = newRouter();

talkChannelRoutes.openapi(channelsRoute, async (c) => {
  const { customerId, agentId } = actorIn(c);
  const page = await listChannels(c.env, customerId, agentId, pageRequest(c.req.valid('query')));
  return c.json(presentPage(page, present), 200);
});
