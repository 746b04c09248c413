import type { ConversationAggregate } from './aggregate.ts';
import type { ChangeKind } from './store.ts';

import { isMessageEvent, type Change } from '../../domain/conversation/events.ts';
import { isVisibleTo } from '../../domain/conversation/identity/participants.ts';
import type { Message } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { Micros } from '../../domain/time.ts';

/** A change of mode or owner, with its place in the log. */
export interface ChangeEntry {
  conversationId: string;
  sequence: number;
  createdAt: Micros;
  change: Change;
}

/** What a person reads from top to bottom: messages, and changes of mode and owner between them. */
export type TimelineEntry =
  | { kind: 'message'; sequence: number; message: Message }
  | { kind: 'change'; sequence: number; entry: ChangeEntry };

/** Newest first: the changes of one kind before a time (null: all). */
export const listChanges = (
  aggregate: ConversationAggregate,
  kind: ChangeKind,
  before: Micros | null,
  limit: number,
): ChangeEntry[] =>
  aggregate.stored.changesBefore(kind, before, limit).flatMap((sequence) => changeAt(aggregate, sequence));

function changeAt(aggregate: ConversationAggregate, sequence: number): ChangeEntry[] {
  const [event] = aggregate.eventsAfter(sequence - 1, 1);
  if (!event || isMessageEvent(event) || !event.change) return [];
  return [{ conversationId: event.conversation.id, sequence, createdAt: event.at, change: event.change }];
}

/** Newest first: messages and changes together, those before a sequence of the log. */
export function listTimeline(aggregate: ConversationAggregate, before: number, limit: number): TimelineEntry[] {
  const messages = aggregate.stored.messagesUnder(before, limit);
  const changes = aggregate.stored.changesUnder(before, limit).flatMap((sequence) => changeAt(aggregate, sequence));
  return [
    ...messages.map((message): TimelineEntry => ({ kind: 'message', sequence: message.sequence, message })),
    ...changes.map((entry): TimelineEntry => ({ kind: 'change', sequence: entry.sequence, entry })),
  ]
    .toSorted((a, b) => b.sequence - a.sequence)
    .slice(0, limit);
}

/** Looked at in one go, for a page of which most may belong to somebody else. */
const STEP = 200;

/** Newest first: the messages of these addresses (identity/participants.ts) before a time (null: all), at most `limit`. */
export function visibleMessages(
  aggregate: ConversationAggregate,
  addresses: string[],
  before: Micros | null,
  limit: number,
): Message[] {
  const visible: Message[] = [];
  for (let at = before; visible.length < limit;) {
    const step = aggregate.stored.messagesBefore(at, STEP);
    visible.push(...step.filter((message) => isVisibleTo(addresses, message)));
    at = step.at(-1)?.createdAt ?? null;
    if (step.length < STEP) break;
  }
  return visible.slice(0, limit);
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
  const message = aggregate.stored.message(messageId);
  return message && isVisibleTo(addresses, message) ? ok(message) : err({ code: 'CONVERSATION_MESSAGE_NOT_FOUND' });
}
