import { createRoute, z } from '@hono/zod-openapi';
import { withIdempotencyKey } from '../once.ts';
import { answer, failures, idempotencyHeaders, KEY_REFUSALS, security } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { MINUTE } from '../../domain/time.ts';
import { hashToken, newTicket } from '../../security/tokens.ts';
import { insertTicket } from '../../storage/tickets.ts';

const createTicketRoute = createRoute({
  tags: ['Live'],
  security,
  method: 'post',
  path: '/',
  summary: 'Create a single-use ticket, valid for 60 seconds, for a browser’s stream',
  description: 'Use it as `?ticket=`, or on a WebSocket as the subprotocol `ticket.<ticket>`.',
  request: { headers: idempotencyHeaders },
  responses: {
    ...answer(
      z.object({ ticket: z.string(), expire: z.string().openapi({ example: '2026-01-01T00:00:00.000Z' }) }),
      'The ticket',
    ),
    ...failures(...KEY_REFUSALS),
  },
});

export const ticketRoutes = newRouter();

ticketRoutes.openapi(createTicketRoute, async (c) => {
  const made = await withIdempotencyKey(c, async () => {
    const ticket = newTicket();
    const expiresMs = Date.now() + MINUTE;
    const holder = { principal: c.get('principal'), tokenVersion: c.get('tokenVersion') };
    const statements = [insertTicket(c.env, await hashToken(ticket), holder, expiresMs)];
    return { statements, answer: { ticket, expire: new Date(expiresMs).toISOString() } };
  });
  return c.json(made, 200);
});
