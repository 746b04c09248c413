import { createRoute, type z } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import { valueOf } from '../../errors.ts';
import { agentsOnly } from '../../middleware/authenticate.ts';
import { idempotencyOf } from '../../once.ts';
import { answer, body, failures, idempotencyHeaders, idParam, security, uuid } from '../../openapi.ts';
import { newRouter } from '../../router.ts';
import { pageQuery, pageRequest, pageSchema, presentPage } from '../pages.ts';
import { actorIn } from './people.ts';
import { talkMessageSchema } from './schemas.ts';
import { presentTalkMessage } from '../../../dialects/voipbin/talk.ts';
import { newTalkMessageSchema, talkSendOf } from '../../../dialects/voipbin/talk-bodies.ts';
import { callObject, getTalk } from '../../../objects/stubs.ts';
import { pageOf, type PageRequest } from '../../../storage/page.ts';
import { listTalkMessagesOf } from '../../../storage/talks.ts';

const common = { tags: ['Talk messages'], security, middleware: agentsOnly };
const page = answer(
  pageSchema(talkMessageSchema),
  'Newest first; a deleted message keeps its place without its content',
);
const refusals = ['AGENT_AUTH_REQUIRED', 'PERMISSION_DENIED', 'TALK_NOT_FOUND'] as const;
const sent = {
  ...answer(talkMessageSchema, 'The message'),
  ...failures(...refusals, 'TALK_CLOSED', 'IDEMPOTENCY_KEY_REUSED'),
};

const listAllRoute = createRoute({
  ...common,
  method: 'get',
  path: '/',
  summary: 'List the messages of one talk (`chat_id`), or of all your talks',
  request: { query: pageQuery.extend({ chat_id: uuid.optional() }) },
  responses: { ...page, ...failures(...refusals) },
});

const sendAnywhereRoute = createRoute({
  ...common,
  method: 'post',
  path: '/',
  summary: 'Send a message to the talk `chat_id`',
  request: { headers: idempotencyHeaders, ...body(newTalkMessageSchema.safeExtend({ chat_id: uuid })) },
  responses: sent,
});

/** `/service_agents/talk_messages`. */
export const talkMessageListRoutes = newRouter();

talkMessageListRoutes.openapi(listAllRoute, async (c) => {
  const { chat_id, ...query } = c.req.valid('query');
  const request = pageRequest(query);
  if (chat_id !== undefined) return c.json(await messagesIn(c, chat_id, null, request), 200);
  const { customerId, agentId } = actorIn(c);
  const all = await listTalkMessagesOf(c.env, customerId, agentId, request);
  return c.json(presentPage(all, presentTalkMessage), 200);
});

talkMessageListRoutes.openapi(sendAnywhereRoute, async (c) => {
  const { chat_id, ...message } = c.req.valid('json');
  return c.json(await say(c, chat_id, message), 200);
});

const listRoute = createRoute({
  ...common,
  method: 'get',
  path: '/{id}/messages',
  summary: 'List the messages of a talk',
  request: { ...idParam, query: pageQuery },
  responses: { ...page, ...failures(...refusals) },
});

const sendRoute = createRoute({
  ...common,
  method: 'post',
  path: '/{id}/messages',
  summary: 'Send a message to a talk',
  request: { ...idParam, headers: idempotencyHeaders, ...body(newTalkMessageSchema) },
  responses: sent,
});

/** `/talks/{id}/messages`. */
export const talkMessagesRoutes = newRouter();

talkMessagesRoutes.openapi(listRoute, async (c) =>
  c.json(await messagesIn(c, c.req.valid('param').id, null, pageRequest(c.req.valid('query'))), 200),
);

talkMessagesRoutes.openapi(sendRoute, async (c) =>
  c.json(await say(c, c.req.valid('param').id, c.req.valid('json')), 200),
);

/** `id`: of the talk, or of one of its messages whose answers are meant (`parentId`). */
export async function messagesIn(c: AppContext, id: string, parentId: string | null, { size, cursor }: PageRequest) {
  const listed = await callObject(() =>
    getTalk(c.env, id).listMessages(actorIn(c, parentId === null ? id : null), parentId, cursor, size + 1),
  );
  return presentPage(pageOf(valueOf(listed), size), presentTalkMessage);
}

async function say(c: AppContext, talkId: string, message: z.infer<typeof newTalkMessageSchema>) {
  const command = talkSendOf(message);
  // A call that the platform repeats must not say it twice, whether the client thought of that or not.
  const claim = (await idempotencyOf(c)) ?? { key: `call ${crypto.randomUUID()}`, fingerprint: '' };
  const said = await callObject(() => getTalk(c.env, talkId).send(actorIn(c, talkId), command, claim));
  return presentTalkMessage(valueOf(said));
}
