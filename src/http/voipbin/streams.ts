import { createRoute, z } from '@hono/zod-openapi';
import type { AppContext } from '../context.ts';
import {
  checkUpgrade,
  cursorOf,
  lastEventId,
  liveQuery,
  openSession,
  readerOf,
  socketQuery,
  socketResponse,
} from '../live.ts';
import { failures, idParam, security } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { readableConversation } from './access.ts';
import { sseResponse } from '../sse.ts';
import { getConversation } from '../../objects/stubs.ts';

const common = { tags: ['Live'], security, method: 'get' as const };

const sseRoute = createRoute({
  ...common,
  path: '/{id}/stream',
  summary: 'Stream the events of a conversation as Server-Sent Events',
  description:
    '`data` is `{type, sequence, data}` and `id` is the sequence; reconnect with `Last-Event-ID` to resume. `caught_up` marks the end of the replay, `resync` a cursor that this conversation does not have.',
  request: {
    ...idParam,
    query: liveQuery,
    headers: lastEventId,
  },
  responses: {
    200: { description: 'The stream', content: { 'text/event-stream': { schema: z.string() } } },
    ...failures('PERMISSION_DENIED', 'CONVERSATION_NOT_FOUND'),
  },
});

const socketRoute = createRoute({
  ...common,
  path: '/{id}/ws',
  summary: 'Stream the events of a conversation over a WebSocket',
  description:
    'Frames have the same form as on the stream. Acknowledge with `{"type":"ack","sequence":N}` every 50 events, 32 KB or second: past 1,000 events or 1 MB without one (128 KB where a thousand read) the server waits, and after 30 s closes with 4008; come back with `?after=`.',
  request: { ...idParam, query: socketQuery },
  responses: {
    101: { description: 'Switching protocols' },
    ...failures('PERMISSION_DENIED', 'ORIGIN_NOT_ALLOWED', 'CONVERSATION_NOT_FOUND', 'UPGRADE_REQUIRED'),
  },
});

export const streamRoutes = newRouter();

streamRoutes.openapi(sseRoute, async (c) => {
  const { id } = c.req.valid('param');
  const cursor = c.req.valid('header')['last-event-id'] || c.req.valid('query').after;
  return sseResponse(await conversationSession(c, id, cursor, false));
});

streamRoutes.openapi(socketRoute, async (c) => {
  checkUpgrade(c);
  const { after, batch } = c.req.valid('query');
  return socketResponse(c, await conversationSession(c, c.req.valid('param').id, after, batch === '1'));
});

/** A socket into the conversation's object, for who may read it: managers, and the agent that owns it. */
async function conversationSession(c: AppContext, id: string, cursor: string | undefined, batch: boolean) {
  await readableConversation(c, id);
  const session = { reader: readerOf(c), after: cursorOf(cursor), batch };
  return openSession(getConversation(c.env, id), session, 'CONVERSATION_NOT_FOUND');
}
