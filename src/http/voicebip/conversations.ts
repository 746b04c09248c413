import { createRoute, z } from '@hono/zod-openapi';
import { valueOf } from '../errors.ts';
import { cursorOf, lastEventId, openSession, readerOf } from '../live.ts';
import { answer, body, security } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { sseResponse } from '../sse.ts';
import { failures, idOf, time } from './openapi.ts';
import { nextToken, pageQuery, pageRequest } from './pages.ts';
import { conversationSchema, messageSchema } from './schemas.ts';
import {
  presentConversation,
  presentModeChange,
  presentWithMode,
  readChannel,
} from '../../dialects/voicebip/conversation.ts';
import { presentMessage } from '../../dialects/voicebip/message.ts';
import { actorOf } from '../../domain/permissions.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
import { findAnsweredBy, findAssistantId, findAssistantIds } from '../../storage/accounts.ts';
import { listConversations } from '../../storage/conversations.ts';
import { pageOf } from '../../storage/page.ts';

const common = { tags: ['Voicebip'], security };
const conversationParam = { params: z.object({ id: idOf('conv') }) };
const mode = z.enum(['ai', 'human', 'closed']);
const token = z.string().optional().openapi({ description: 'Absent on the last page' });

const listRoute = createRoute({
  ...common,
  method: 'get',
  path: '/',
  summary: 'List conversations, without `ai_mode`',
  request: {
    query: pageQuery.extend({
      agent_id: idOf('agt').optional(),
      channel: z.enum(['sms', 'whatsapp', 'messenger', 'line']).optional(),
    }),
  },
  responses: {
    ...answer(z.object({ conversations: z.array(conversationSchema), next_page_token: token }), 'Newest first'),
    ...failures(),
  },
});

const detailSchema = conversationSchema.extend({
  ai_mode: mode,
  messages: z.array(messageSchema),
  next_page_token: token,
});

const readRoute = createRoute({
  ...common,
  method: 'get',
  path: '/{id}',
  summary: 'Get a conversation with its messages, newest first',
  request: { ...conversationParam, query: pageQuery },
  responses: { ...answer(detailSchema, 'The conversation'), ...failures('CONVERSATION_NOT_FOUND') },
});

const changeRoute = createRoute({
  ...common,
  method: 'patch',
  path: '/{id}',
  summary: 'Switch between AI and people, or close; setting the current mode has no effect',
  request: { ...conversationParam, ...body(z.object({ ai_mode: mode })) },
  responses: {
    ...answer(conversationSchema.extend({ ai_mode: mode, changed: z.boolean() }), 'The conversation'),
    ...failures('CONVERSATION_NOT_FOUND', 'CONVERSATION_CLOSED'),
  },
});

const modeChangeSchema = z.object({
  actor_user_id: z.string(),
  actor_type: z.string(),
  from_mode: mode.nullable(),
  to_mode: mode.nullable(),
  timestamp: time,
});

const historyRoute = createRoute({
  ...common,
  method: 'get',
  path: '/{id}/mode_history',
  summary: 'List the changes of the mode',
  request: { ...conversationParam, query: pageQuery },
  responses: {
    ...answer(z.object({ mode_history: z.array(modeChangeSchema), next_page_token: token }), 'Newest first'),
    ...failures('CONVERSATION_NOT_FOUND'),
  },
});

const streamRoute = createRoute({
  ...common,
  method: 'get',
  path: '/{id}/stream',
  summary: 'Stream messages and mode changes as Server-Sent Events; reconnect with `Last-Event-ID` to resume',
  request: {
    ...conversationParam,
    headers: lastEventId,
    query: z.object({
      after: z
        .string()
        .regex(/^\d{1,15}$/, 'must be a sequence')
        .optional(),
    }),
  },
  responses: {
    200: { description: 'The stream', content: { 'text/event-stream': { schema: z.string() } } },
    ...failures('CONVERSATION_NOT_FOUND'),
  },
});

export const voicebipConversationRoutes = newRouter();

voicebipConversationRoutes.openapi(listRoute, async (c) => {
  const { agent_id: agentId, channel, ...paging } = c.req.valid('query');
  const { customerId } = c.get('principal');
  const asked = { agentId, channel };
  const request = await pageRequest(paging, asked);
  const filter = {
    ...(agentId === undefined ? {} : { accountIds: await findAnsweredBy(c.env, customerId, agentId) }),
    ...(channel === undefined ? {} : { type: readChannel(channel) }),
  };
  const page = await listConversations(c.env, customerId, filter, request);
  const agents = await findAssistantIds(c.env, customerId, [...new Set(page.rows.map(({ accountId }) => accountId))]);
  const shown = page.rows.map((row) => presentConversation(row, agents.get(row.accountId) ?? null));
  return c.json({ conversations: shown, ...(await nextToken(page, asked)) }, 200);
});

voicebipConversationRoutes.openapi(readRoute, async (c) => {
  const { id } = c.req.valid('param');
  const { size, cursor } = await pageRequest(c.req.valid('query'), { id });
  const { customerId } = c.get('principal');
  const stub = () => getConversation(c.env, id);
  const state = valueOf(await callObject(() => stub().read(customerId)));
  const rows = valueOf(await callObject(() => stub().listMessages(customerId, cursor?.at ?? null, size + 1)));
  const page = pageOf(rows, size);
  const messages = page.rows.map(presentMessage);
  const shown = presentWithMode(state, await findAssistantId(c.env, customerId, state.accountId));
  return c.json({ ...shown, messages, ...(await nextToken(page, { id })) }, 200);
});

voicebipConversationRoutes.openapi(changeRoute, async (c) => {
  const { id } = c.req.valid('param');
  const principal = c.get('principal');
  const { customerId } = principal;
  const stub = () => getConversation(c.env, id);
  // Before the change: once it is made, nothing may keep its answer back.
  const { accountId } = valueOf(await callObject(() => stub().read(customerId)));
  const agentId = await findAssistantId(c.env, customerId, accountId);
  const command = { customerId, actor: actorOf(principal), aiMode: c.req.valid('json').ai_mode };
  const { conversation, changed } = valueOf(await callObject(() => stub().update(command)));
  return c.json({ ...presentWithMode(conversation, agentId), changed }, 200);
});

voicebipConversationRoutes.openapi(historyRoute, async (c) => {
  const { id } = c.req.valid('param');
  const { size, cursor } = await pageRequest(c.req.valid('query'), { history: id });
  const { customerId } = c.get('principal');
  const stub = () => getConversation(c.env, id);
  const found = valueOf(await callObject(() => stub().listChanges(customerId, 'mode', cursor?.at ?? null, size + 1)));
  const page = pageOf(
    found.map((entry) => ({ ...entry, id: String(entry.sequence) })),
    size,
  );
  return c.json({ mode_history: page.rows.map(presentModeChange), ...(await nextToken(page, { history: id })) }, 200);
});

voicebipConversationRoutes.openapi(streamRoute, async (c) => {
  const { id } = c.req.valid('param');
  valueOf(await callObject(() => getConversation(c.env, id).read(c.get('principal').customerId)));
  const cursor = c.req.valid('header')['last-event-id'] || c.req.valid('query').after;
  const session = { reader: readerOf(c), after: cursorOf(cursor), batch: false, dialect: 'voicebip' as const };
  const socket = await openSession(getConversation(c.env, id), session, 'CONVERSATION_NOT_FOUND');
  return sseResponse(socket, 'events');
});
