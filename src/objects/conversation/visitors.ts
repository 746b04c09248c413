import type { ConversationAggregate } from './aggregate.ts';
import type { Reader } from '../live/protocol.ts';
import { visitorFrame } from '../../dialects/chat/frame.ts';
import type { NewConversationEvent } from '../../domain/conversation/events.ts';
import { decideReached } from '../../domain/conversation/decide-message.ts';
import { fromLogRow } from '../../domain/conversation/log-row.ts';
import { holderOf, isReleased } from '../../domain/conversation/identity/membership.ts';
import type { ContactAddress } from '../../domain/conversation/identity/participants.ts';
import type { Message } from '../../domain/conversation/state.ts';
import { isVisibleTo } from '../../domain/conversation/identity/visible.ts';
import type { Refusal } from '../../domain/errors.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { Micros } from '../../domain/time.ts';

export type Visitor = Extract<Reader, { kind: 'visitor' }>;

const addressOf = ({ target }: Pick<Visitor, 'target'>): ContactAddress => ({ type: 'chat', target });

/** Before its first message a visitor waits in a conversation that nobody has begun; after that it must be in it, and it must go on here. */
export function mayVisit(aggregate: ConversationAggregate, visitor: Visitor): boolean {
  const state = aggregate.store.record()?.conversation;
  if (!state) return true;
  const address = addressOf(visitor);
  const isOwn = state.customerId === visitor.customerId && state.deletedAt === null && state.mergedInto === null;
  return isOwn && !isReleased(state, address) && holderOf(state, address) !== null;
}

export function visitorFrames(aggregate: ConversationAggregate, target: string, after: number, limit: number) {
  const state = aggregate.store.record()?.conversation;
  if (!state) return [];
  return aggregate.log.after(after, limit).map((row) => {
    const message = row.messageId === null ? null : aggregate.store.message(row.messageId);
    const frame = visitorFrame(state, addressOf({ target }), fromLogRow(row, message));
    return { sequence: row.sequence, text: JSON.stringify(frame) };
  });
}

/** As many messages as one acknowledgement moves: older ones were moved by the one before. */
const MOST_MOVED = 100;

/** The visitor has, or has read, everything up to a place in the log. @returns whether that was news. */
export function reached(
  aggregate: ConversationAggregate,
  visitor: Visitor,
  status: 'delivered' | 'read',
  sequence: number,
): boolean {
  if (!aggregate.store.record() || !mayVisit(aggregate, visitor)) return false;
  const at = aggregate.now();
  const events: NewConversationEvent[] = aggregate.store
    .messagesUnder(sequence + 1, MOST_MOVED)
    .filter(({ direction }) => direction === 'outgoing')
    .flatMap((message) => decideReached(message, visitor.addressName, status, at, at));
  if (events.length > 0) aggregate.commit(events, at);
  return events.length > 0;
}

/** Looked at in one go, for a page of which most may have gone elsewhere. */
const STEP = 200;

/** Newest first: what is there of these addresses (identity/visible.ts) that is older than a time (null: all), at most `limit`. */
export function visibleMessages(
  aggregate: ConversationAggregate,
  customerId: string,
  addresses: string[],
  before: Micros | null,
  limit: number,
): Result<Message[], Refusal> {
  const found = aggregate.find(customerId);
  if (!found.ok) return found;
  const visible: Message[] = [];
  for (let at = before; visible.length < limit;) {
    const step = aggregate.store.messagesBefore(at, STEP);
    visible.push(...step.filter((message) => isVisibleTo(addresses, message)));
    at = step.at(-1)?.createdAt ?? null;
    if (step.length < STEP) break;
  }
  return ok(visible.slice(0, limit));
}

/** One of them, also one that was deleted. */
export function visibleMessage(
  aggregate: ConversationAggregate,
  customerId: string,
  addresses: string[],
  messageId: string,
): Result<Message, Refusal> {
  const found = aggregate.find(customerId);
  if (!found.ok) return found;
  const message = aggregate.store.message(messageId);
  return message && isVisibleTo(addresses, message) ? ok(message) : err({ code: 'CONVERSATION_MESSAGE_NOT_FOUND' });
}
