import { createRoute, z } from '@hono/zod-openapi';
import { chatAccount, visitorIn } from './visitor.ts';
import { ApiError } from '../errors.ts';
import { cursorOf, openSession, socketQuery } from '../live.ts';
import { failures } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { conversationOf } from '../../app/contacts/visitor.ts';
import { pairName } from '../../app/conversations/open.ts';
import { getConversation } from '../../objects/stubs.ts';

const socketRoute = createRoute({
  tags: ['Web chat'],
  security: [{ bearer: [] }],
  method: 'get',
  path: '/{account_id}/ws',
  summary: 'What happens for a visitor, live, straight from its conversation',
  description:
    'Subprotocols `visitor.<token>` and `parley.v1`. Frames: `message`, `message_deleted`, `closed`, `skip` (nothing for visitors: it only moves the place), `caught_up`, `resync`, `typing`. The visitor says `{"type":"ack","sequence"}`, `{"type":"read","sequence"}`, `{"type":"typing","is_typing"}`.',
  request: { params: z.object({ account_id: z.string() }), query: socketQuery },
  responses: {
    101: { description: 'Switching protocols' },
    ...failures('CONVERSATION_ACCOUNT_NOT_FOUND', 'ORIGIN_NOT_ALLOWED', 'INVALID_CREDENTIALS', 'UPGRADE_REQUIRED'),
  },
});

/** The protocol of the frames: a browser wants one of those that it offered back, and the token is not to be said aloud. */
const PROTOCOL = 'parley.v1';

export const chatLiveRoutes = newRouter();

chatLiveRoutes.openapi(socketRoute, async (c) => {
  if (c.req.header('upgrade')?.toLowerCase() !== 'websocket')
    throw new ApiError('UPGRADE_REQUIRED', 'this endpoint requires a WebSocket upgrade', undefined, {
      Upgrade: 'websocket',
    });
  const resolved = await chatAccount(c);
  const visitor = await visitorIn(c);
  const { after, batch } = c.req.valid('query');
  const { customerId, id: accountId } = resolved.account;
  const addressName = await pairName(resolved, visitor.id);
  const reader = { kind: 'visitor' as const, customerId, accountId, target: visitor.id, addressName };
  const object = getConversation(c.env, await conversationOf(c.env, resolved, visitor));
  const session = { reader, after: cursorOf(after), batch: batch === '1' };
  const webSocket = await openSession(object, session, 'CONVERSATION_NOT_FOUND');
  const offered = (c.req.header('sec-websocket-protocol') ?? '').split(',').map((text) => text.trim());
  const headers: Record<string, string> = offered.includes(PROTOCOL) ? { 'Sec-WebSocket-Protocol': PROTOCOL } : {};
  return new Response(null, { status: 101, webSocket, headers });
});
