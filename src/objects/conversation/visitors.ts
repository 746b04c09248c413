import type { Room } from './room.ts';
import type { Reader } from '../session-protocol.ts';
import { visitorFrame } from '../../dialects/chat/frame.ts';
import type { NewConversationEvent } from '../../domain/conversation/events.ts';
import { decideReached } from '../../domain/conversation/decide-message.ts';
import { fromLogRow } from '../../domain/conversation/log-row.ts';
import { holderOf, isReleased, type ContactAddress } from '../../domain/conversation/participants.ts';
import type { Message } from '../../domain/conversation/state.ts';
import { isVisibleTo } from '../../domain/conversation/visible.ts';
import type { Refusal } from '../../domain/errors.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { Micros } from '../../domain/time.ts';

export type Visitor = Extract<Reader, { kind: 'visitor' }>;

const addressOf = ({ target }: Pick<Visitor, 'target'>): ContactAddress => ({ type: 'chat', target });

/** Before its first message a visitor waits in a conversation that nobody has begun; after that it must be in it, and it must go on here. */
export function mayVisit(room: Room, visitor: Visitor): boolean {
  const state = room.store.record()?.conversation;
  if (!state) return true;
  const address = addressOf(visitor);
  const isOwn = state.customerId === visitor.customerId && state.deletedAt === null && state.mergedInto === null;
  return isOwn && !isReleased(state, address) && holderOf(state, address) !== null;
}

export function visitorFrames(room: Room, target: string, after: number, limit: number) {
  const state = room.store.record()?.conversation;
  if (!state) return [];
  return room.log.after(after, limit).map((row) => {
    const message = row.messageId === null ? null : room.store.message(row.messageId);
    const frame = visitorFrame(state, addressOf({ target }), fromLogRow(row, message));
    return { sequence: row.sequence, text: JSON.stringify(frame) };
  });
}

/** As many messages as one acknowledgement moves: older ones were moved by the one before. */
const MOST_MOVED = 100;

/** The visitor has, or has read, everything up to a place in the log. @returns whether that was news. */
export function reached(room: Room, visitor: Visitor, status: 'delivered' | 'read', sequence: number): boolean {
  if (!room.store.record() || !mayVisit(room, visitor)) return false;
  const at = room.now();
  const events: NewConversationEvent[] = room.store
    .messagesUnder(sequence + 1, MOST_MOVED)
    .filter(({ direction }) => direction === 'outgoing')
    .flatMap((message) => decideReached(message, visitor.addressName, status, at, at));
  if (events.length > 0) room.commit(events, at);
  return events.length > 0;
}

/** As many messages are looked at for a page as may have gone elsewhere in between. */
const LOOKED_AT = 1000;

/** Newest first: what the visitor may see that is older than a time (null: all), at most `limit`. */
export function visibleMessages(
  room: Room,
  visitor: Pick<Visitor, 'customerId' | 'target'>,
  before: Micros | null,
  limit: number,
): Result<Message[], Refusal> {
  const found = room.find(visitor.customerId);
  if (!found.ok) return found;
  const seen = room.store.messagesBefore(before, LOOKED_AT);
  const visible = seen.filter((message) => isVisibleTo(found.value, addressOf(visitor), message));
  return ok(visible.slice(0, limit));
}

export function visibleMessage(
  room: Room,
  visitor: Pick<Visitor, 'customerId' | 'target'>,
  messageId: string,
): Result<Message, Refusal> {
  const found = room.findMessage(visitor.customerId, messageId);
  const state = room.store.record()?.conversation;
  if (!found.ok || !state) return found;
  return isVisibleTo(state, addressOf(visitor), found.value) ? found : err({ code: 'CONVERSATION_MESSAGE_NOT_FOUND' });
}
