import { createRoute, z } from '@hono/zod-openapi';
import type { AppContext } from '../context.ts';
import { ApiError } from '../errors.ts';
import { failures, idParam, security } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { readableConversation } from './access.ts';
import { sseResponse } from '../sse.ts';
import { hasRole } from '../../domain/permissions.ts';
import { SESSION_HEADER, type Reader, type SessionRequest } from '../../objects/session-protocol.ts';
import { getConversation } from '../../objects/stubs.ts';

const after = z
  .string()
  .regex(/^\d{1,15}$/, 'must be a sequence')
  .optional()
  .openapi({ description: 'Everything after this sequence, then live; 0 replays all; absent begins at the head' });

const common = {
  tags: ['Live'],
  security,
  method: 'get' as const,
  request: { ...idParam, query: z.object({ after, ticket: z.string().optional() }) },
};

const sseRoute = createRoute({
  ...common,
  path: '/{id}/stream',
  summary: 'The conversation’s events as Server-Sent Events',
  description:
    'Data is `{type, sequence, data}`, `id` the sequence: `Last-Event-ID` resumes. `caught_up` ends the replay; `resync` answers a cursor that is not of this log.',
  request: {
    ...common.request,
    headers: z.object({
      'last-event-id': z
        .string()
        .regex(/^\d{0,15}$/, 'must be a sequence')
        .optional(),
    }),
  },
  responses: {
    200: { description: 'The stream', content: { 'text/event-stream': { schema: z.string() } } },
    ...failures('PERMISSION_DENIED', 'CONVERSATION_NOT_FOUND'),
  },
});

const socketRoute = createRoute({
  ...common,
  path: '/{id}/ws',
  summary: 'The same as a WebSocket',
  description:
    'Frames as on the stream. Acknowledge with `{"type":"ack","sequence":N}`: past 1,000 events or 1 MB without one the server waits, and after 30 s closes with 4008; come back with `?after=`.',
  responses: {
    101: { description: 'Switching protocols' },
    ...failures('PERMISSION_DENIED', 'CONVERSATION_NOT_FOUND', 'UPGRADE_REQUIRED'),
  },
});

export const streamRoutes = newRouter();

streamRoutes.openapi(sseRoute, async (c) => {
  const { id } = c.req.valid('param');
  const cursor = c.req.valid('header')['last-event-id'] || c.req.valid('query').after;
  return sseResponse(await openSession(c, id, cursor));
});

streamRoutes.openapi(socketRoute, async (c) => {
  const { id } = c.req.valid('param');
  if (c.req.header('upgrade')?.toLowerCase() !== 'websocket')
    throw new ApiError('UPGRADE_REQUIRED', 'this is a WebSocket', undefined, { Upgrade: 'websocket' });
  const webSocket = await openSession(c, id, c.req.valid('query').after);
  return new Response(null, { status: 101, webSocket, headers: chosenProtocol(c) });
});

/** A browser that offered subprotocols wants one of them back; the first that is not a ticket, else the ticket's own. */
function chosenProtocol(c: AppContext): Record<string, string> {
  const offered = (c.req.header('sec-websocket-protocol') ?? '').split(',').map((text) => text.trim());
  const chosen = offered.find((text) => text !== '' && !text.startsWith('ticket.')) ?? offered[0];
  return chosen ? { 'Sec-WebSocket-Protocol': chosen } : {};
}

/** A socket into the conversation's object, for who may read it: managers, and the agent that owns it. */
async function openSession(c: AppContext, id: string, cursor: string | undefined): Promise<WebSocket> {
  await readableConversation(c, id);
  const session: SessionRequest = { reader: readerOf(c), after: cursor === undefined ? null : Number(cursor) };
  const headers = { Upgrade: 'websocket', [SESSION_HEADER]: JSON.stringify(session) };
  const { webSocket } = await getConversation(c.env, id).fetch('https://conversation/stream', { headers });
  if (!webSocket) throw new ApiError('CONVERSATION_NOT_FOUND');
  return webSocket;
}

function readerOf(c: AppContext): Reader {
  const principal = c.get('principal');
  const { customerId } = principal;
  if (principal.kind === 'accesskey') return { kind: 'accesskey', customerId, keyId: principal.keyId };
  const asOwner = !hasRole(principal, 'manager-or-admin');
  return { kind: 'agent', customerId, agentId: principal.agentId, version: c.get('tokenVersion'), asOwner };
}
