import { createRoute, z } from '@hono/zod-openapi';
import { valueOf } from '../../errors.ts';
import { agentsOnly } from '../../middleware/authenticate.ts';
import { idempotencyOf } from '../../once.ts';
import { answer, body, failures, idempotencyHeaders, idParam, security, uuid } from '../../openapi.ts';
import { newRouter } from '../../router.ts';
import { pageQuery, pageRequest, pageSchema } from '../pages.ts';
import { messagesIn } from './messages.ts';
import { actorIn } from './people.ts';
import { editSchema, talkMessageSchema } from './schemas.ts';
import { presentEdit, presentTalkMessage } from '../../../dialects/voipbin/talk.ts';
import { emojiSchema, talkEditOf, talkEditSchema } from '../../../dialects/voipbin/talk-bodies.ts';
import { callObject, getTalk } from '../../../objects/stubs.ts';

const common = { tags: ['Talk messages'], security, middleware: agentsOnly };
const refusals = ['AGENT_AUTH_REQUIRED', 'PERMISSION_DENIED', 'TALK_MESSAGE_NOT_FOUND'] as const;
const oneMessage = answer(talkMessageSchema, 'The message');

const readRoute = () =>
  createRoute({
    ...common,
    method: 'get',
    path: '/{id}',
    summary: 'Get a message',
    request: idParam,
    responses: { ...oneMessage, ...failures(...refusals) },
  });

const editRoute = () =>
  createRoute({
    ...common,
    method: 'put',
    path: '/{id}',
    summary: 'Edit your own message',
    request: { ...idParam, ...body(talkEditSchema) },
    responses: { ...oneMessage, ...failures(...refusals, 'TALK_CLOSED') },
  });

const editsRoute = () =>
  createRoute({
    ...common,
    method: 'get',
    path: '/{id}/edits',
    summary: 'List the earlier versions of a message',
    request: idParam,
    responses: {
      ...answer(z.object({ result: z.array(editSchema) }), 'Oldest first; empty once the message is deleted'),
      ...failures(...refusals),
    },
  });

const deleteRoute = () =>
  createRoute({
    ...common,
    method: 'delete',
    path: '/{id}',
    summary: 'Delete your own message; administrators may delete any message',
    description:
      'The message keeps its place. Its text, medias and earlier versions are removed from all responses, events and replays.',
    request: idParam,
    responses: { ...answer(talkMessageSchema, 'The deleted message'), ...failures(...refusals) },
  });

const repliesRoute = () =>
  createRoute({
    ...common,
    method: 'get',
    path: '/{id}/replies',
    summary: 'List the replies to a message',
    request: { ...idParam, query: pageQuery },
    responses: { ...answer(pageSchema(talkMessageSchema), 'Newest first'), ...failures(...refusals) },
  });

const reactRoute = () =>
  createRoute({
    ...common,
    method: 'post',
    path: '/{id}/reactions',
    summary: 'React to a message; repeating a reaction has no effect',
    request: { ...idParam, headers: idempotencyHeaders, ...body(z.object({ emoji: emojiSchema })) },
    responses: { ...oneMessage, ...failures(...refusals, 'TALK_CLOSED', 'IDEMPOTENCY_KEY_REUSED') },
  });

const unreactRoute = () =>
  createRoute({
    ...common,
    method: 'delete',
    path: '/{id}/reactions/{emoji}',
    summary: 'Remove your reaction',
    request: { params: z.object({ id: uuid, emoji: emojiSchema }) },
    responses: { ...oneMessage, ...failures(...refusals, 'TALK_CLOSED') },
  });

/** `/service_agents/talk_messages/{id}` and `/messages/{id}`: the id alone leads to the talk (domain/talk/ids.ts). */
export function talkMessageRoutes() {
  const routes = newRouter();

  routes.openapi(readRoute(), async (c) => {
    const { id } = c.req.valid('param');
    return c.json(await shown(callObject(() => getTalk(c.env, id).readMessage(actorIn(c), id))), 200);
  });

  routes.openapi(editRoute(), async (c) => {
    const { id } = c.req.valid('param');
    const edit = talkEditOf(c.req.valid('json'));
    return c.json(await shown(callObject(() => getTalk(c.env, id).edit(actorIn(c), id, edit))), 200);
  });

  routes.openapi(editsRoute(), async (c) => {
    const { id } = c.req.valid('param');
    const edits = valueOf(await callObject(() => getTalk(c.env, id).listEdits(actorIn(c), id)));
    return c.json({ result: edits.map(presentEdit) }, 200);
  });

  routes.openapi(deleteRoute(), async (c) => {
    const { id } = c.req.valid('param');
    return c.json(await shown(callObject(() => getTalk(c.env, id).removeMessage(actorIn(c), id))), 200);
  });

  routes.openapi(repliesRoute(), async (c) => {
    const { id } = c.req.valid('param');
    return c.json(await messagesIn(c, id, id, pageRequest(c.req.valid('query'))), 200);
  });

  routes.openapi(reactRoute(), async (c) => {
    const { id } = c.req.valid('param');
    const { emoji } = c.req.valid('json');
    const claim = await idempotencyOf(c);
    return c.json(await shown(callObject(() => getTalk(c.env, id).react(actorIn(c), id, emoji, claim))), 200);
  });

  routes.openapi(unreactRoute(), async (c) => {
    const { id, emoji } = c.req.valid('param');
    return c.json(await shown(callObject(() => getTalk(c.env, id).unreact(actorIn(c), id, emoji))), 200);
  });
  return routes;
}

type Answer = Awaited<ReturnType<ReturnType<typeof getTalk>['readMessage']>>;

const shown = async (answered: Promise<Answer>) => presentTalkMessage(valueOf(await answered));
