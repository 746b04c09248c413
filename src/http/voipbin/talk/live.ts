import { createRoute, z } from '@hono/zod-openapi';
import type { AppContext } from '../../context.ts';
import {
  checkUpgrade,
  cursorOf,
  lastEventId,
  liveQuery,
  openSession,
  readerOf,
  socketQuery,
  socketResponse,
} from '../../live.ts';
import { valueOf } from '../../errors.ts';
import { agentsOnly } from '../../middleware/authenticate.ts';
import { failures, idParam, security } from '../../openapi.ts';
import { newRouter } from '../../router.ts';
import { sseResponse } from '../../sse.ts';
import { actorIn } from './people.ts';
import { callObject, getTalk } from '../../../objects/stubs.ts';

const common = { tags: ['Live'], security, middleware: agentsOnly, method: 'get' as const };
const refusals = ['AGENT_AUTH_REQUIRED', 'PERMISSION_DENIED', 'TALK_NOT_FOUND'] as const;

const socketRoute = () =>
  createRoute({
    ...common,
    path: '/{id}/ws',
    summary: 'Open a WebSocket for a talk’s events and commands',
    description:
      'Events are `{type, sequence, data}`: `message_created`, `message_updated`, `message_deleted`, `reaction_added`, `reaction_removed`, `participant_joined`, `participant_left`, `talk_updated`, … Outside the log: `typing`, `presence`, `read`. Commands: `{"type":"send"|"edit"|"delete"|"react"|"unreact"|"read"|"typing","client_id",…}` with the REST bodies’ fields (a message is named by `message_id`); the answer is `{"type":"ack","client_id","data"}` or `{"type":"error","client_id","error"}`. A repeated `send` with the same `client_id` and content is one message. Acknowledge events with `{"type":"ack","sequence":N}`, as on a conversation.',
    request: { ...idParam, query: socketQuery },
    responses: {
      101: { description: 'Switching protocols' },
      ...failures(...refusals, 'ORIGIN_NOT_ALLOWED', 'UPGRADE_REQUIRED'),
    },
  });

const sseRoute = () =>
  createRoute({
    ...common,
    path: '/{id}/stream',
    summary: 'Stream the events of a talk as Server-Sent Events',
    request: { ...idParam, query: liveQuery, headers: lastEventId },
    responses: {
      200: { description: 'The stream', content: { 'text/event-stream': { schema: z.string() } } },
      ...failures(...refusals),
    },
  });

/** `…/{id}/ws` and `…/{id}/stream`, under both path families. */
export function talkLiveRoutes() {
  const routes = newRouter();

  routes.openapi(socketRoute(), async (c) => {
    checkUpgrade(c);
    const { after, batch } = c.req.valid('query');
    return socketResponse(c, await talkSession(c, c.req.valid('param').id, after, batch === '1'));
  });

  routes.openapi(sseRoute(), async (c) => {
    const cursor = c.req.valid('header')['last-event-id'] || c.req.valid('query').after;
    return sseResponse(await talkSession(c, c.req.valid('param').id, cursor, false));
  });
  return routes;
}

/** A socket into the talk's object. The object lets in its participants only; asking it first gives the refusal its reason. */
async function talkSession(c: AppContext, id: string, cursor: string | undefined, batch: boolean): Promise<WebSocket> {
  valueOf(await callObject(() => getTalk(c.env, id).read(actorIn(c, id))));
  return openSession(getTalk(c.env, id), { reader: readerOf(c), after: cursorOf(cursor), batch }, 'PERMISSION_DENIED');
}
