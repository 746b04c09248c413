import { z } from '@hono/zod-openapi';
import { type AppContext, publicUrlOf } from './context.ts';
import { ApiError, type Reason } from './errors.ts';
import { configOf } from '../env.ts';
import { SESSION_HEADER, type NewSession, type Reader } from '../objects/live/protocol.ts';

/** The query of every live stream. */
export const liveQuery = z.object({
  after: z
    .string()
    .regex(/^\d{1,15}$/, 'must be a sequence')
    .optional()
    .openapi({
      description:
        'Replays the events after this sequence before the live ones; 0 replays all. If absent, only live events',
    }),
  ticket: z.string().optional(),
});

export const socketQuery = liveQuery.extend({
  batch: z.enum(['0', '1']).optional().openapi({ description: 'If 1, every frame is an array of one or more events' }),
});

/** Where a browser's EventSource says how far it came. */
export const lastEventId = z.object({
  'last-event-id': z
    .string()
    .regex(/^\d{0,15}$/, 'must be a sequence')
    .optional(),
});

/** Who reads, as an object keeps it with the socket. */
export function readerOf(c: AppContext): Reader {
  const principal = c.get('principal');
  const { customerId } = principal;
  if (principal.kind === 'accesskey') return { kind: 'accesskey', customerId, keyId: principal.keyId };
  return { ...principal, version: c.get('tokenVersion') };
}

/** The cursor of a client, as an object takes it. */
export const cursorOf = (text: string | undefined): number | null => (text === undefined ? null : Number(text));

/** A socket into an object; `missing` is the answer when the object knows nothing of it. */
export async function openSession(object: Fetcher, session: NewSession, missing: Reason): Promise<WebSocket> {
  const headers = { Upgrade: 'websocket', [SESSION_HEADER]: JSON.stringify(session) };
  const { webSocket } = await object.fetch('https://object/', { headers });
  if (!webSocket) throw new ApiError(missing);
  return webSocket;
}

/** What every WebSocket route looks at first. @throws 426 and 403 as ApiError. */
export function checkUpgrade(c: AppContext): void {
  if (c.req.header('upgrade')?.toLowerCase() !== 'websocket')
    throw new ApiError('UPGRADE_REQUIRED', 'this endpoint requires a WebSocket upgrade', undefined, {
      Upgrade: 'websocket',
    });
  const origin = c.req.header('origin');
  if (origin !== undefined && !mayOpen(c, origin)) throw new ApiError('ORIGIN_NOT_ALLOWED');
}

/**
 * Browsers let any page open a socket anywhere (CORS does not apply), so we look ourselves: our own pages, and those that
 * ALLOWED_ORIGINS names. On a developer's machine every local page is one's own.
 */
function mayOpen(c: AppContext, origin: string): boolean {
  const own = [publicUrlOf(c), new URL(c.req.url).origin];
  if (own.includes(origin) || configOf(c.env).ALLOWED_ORIGINS.includes(origin)) return true;
  return own.some(isLoopback) && (origin === 'null' || isLoopback(origin));
}

const isLoopback = (origin: string): boolean => /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(origin);

/** The upgrade. A browser that offered subprotocols wants one of them back; the first that is not a ticket, else the ticket's own. */
export function socketResponse(c: AppContext, webSocket: WebSocket): Response {
  const offered = (c.req.header('sec-websocket-protocol') ?? '').split(',').map((text) => text.trim());
  const chosen = offered.find((text) => text !== '' && !text.startsWith('ticket.')) ?? offered[0];
  const headers: Record<string, string> = chosen ? { 'Sec-WebSocket-Protocol': chosen } : {};
  return new Response(null, { status: 101, webSocket, headers });
}
