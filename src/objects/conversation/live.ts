import type { Room } from './room.ts';
import { errorFrame, SESSION_HEADER, sessionRequestSchema, type Reader } from '../session-protocol.ts';
import { Sessions } from '../sessions.ts';
import { presentFrame } from '../../dialects/voipbin/events.ts';
import { fromLogRow } from '../../domain/conversation/log-row.ts';
import { hasRole, isOwner } from '../../domain/permissions.ts';
import { revokedReaders } from '../../storage/readers.ts';

/** The sockets of one conversation. An agent that reads as the owner reads for as long as it is the owner. */
export const conversationSessions = (ctx: DurableObjectState, env: Env, room: Room, rearm: () => void): Sessions =>
  new Sessions(ctx, {
    head: () => room.store.record()?.conversation.sequence ?? 0,
    framesAfter: (sequence, limit) => framesAfter(room, sequence, limit),
    mayRead: (reader) => mayRead(room, reader),
    revoked: (readers) => revokedReaders(env, readers),
    command: () => errorFrame('expected {"type":"ack","sequence":N}'),
    rearm,
  });

const mayRead = (room: Room, reader: Reader): boolean =>
  hasRole(reader, 'manager-or-admin') || isOwner(reader, room.store.record()?.conversation.ownerId ?? null);

const framesAfter = (room: Room, after: number, limit: number): { sequence: number; text: string }[] =>
  room.log.after(after, limit).map((row) => {
    const message = row.messageId === null ? null : room.store.message(row.messageId);
    return { sequence: row.sequence, text: JSON.stringify(presentFrame(fromLogRow(row, message))) };
  });

/** The upgrade of a live stream. The Worker has authenticated it and says so in SESSION_HEADER. */
export function acceptSession(request: Request, room: Room, sessions: Sessions): Response {
  const session = sessionRequestSchema.parse(JSON.parse(request.headers.get(SESSION_HEADER) ?? 'null'));
  return room.find(session.reader.customerId).ok ? sessions.accept(session) : new Response(null, { status: 404 });
}
