import type { ConversationAggregate } from './aggregate.ts';
import type { ChangeKind } from './store.ts';
import type { Change } from '../../domain/conversation/change.ts';
import { isMessageEvent } from '../../domain/conversation/events.ts';
import { fromLogRow } from '../../domain/conversation/log-row.ts';
import type { Message } from '../../domain/conversation/state.ts';
import type { Micros } from '../../domain/time.ts';

/** A change in its place. */
export interface ChangeEntry {
  conversationId: string;
  sequence: number;
  createdAt: Micros;
  change: Change;
}

/** What a person reads from top to bottom: what was said, and who turned what over. */
export type TimelineEntry =
  | { kind: 'message'; sequence: number; message: Message }
  | { kind: 'change'; sequence: number; entry: ChangeEntry };

/** Newest first: the changes of one kind before a time (null: all). */
export function listChanges(
  aggregate: ConversationAggregate,
  kind: ChangeKind,
  before: Micros | null,
  limit: number,
): ChangeEntry[] {
  return aggregate.store.changesBefore(kind, before, limit).flatMap((sequence) => entryAt(aggregate, sequence));
}

function entryAt(aggregate: ConversationAggregate, sequence: number): ChangeEntry[] {
  const row = aggregate.log.after(sequence - 1, 1)[0];
  const event = row && fromLogRow(row, null);
  if (!event || isMessageEvent(event) || !event.change) return [];
  return [{ conversationId: event.conversation.id, sequence, createdAt: event.at, change: event.change }];
}

/** Newest first: both together, those before a place in the log. */
export function listTimeline(aggregate: ConversationAggregate, before: number, limit: number): TimelineEntry[] {
  const messages = aggregate.store.messagesUnder(before, limit);
  const changes = aggregate.store.changesUnder(before, limit).flatMap((sequence) => entryAt(aggregate, sequence));
  return [
    ...messages.map((message): TimelineEntry => ({ kind: 'message', sequence: message.sequence, message })),
    ...changes.map((entry): TimelineEntry => ({ kind: 'change', sequence: entry.sequence, entry })),
  ]
    .toSorted((a, b) => b.sequence - a.sequence)
    .slice(0, limit);
}
