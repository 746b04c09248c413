import type { ConversationAggregate } from './aggregate.ts';
import type { PublishedEvent, Publication } from '../live/feed-protocol.ts';
import type { FeedSource } from '../projection/feed-sink.ts';
import {
  type HistorySource,
  type Projected,
  messagesJson,
  nextLogBatch,
  type LogBatch,
} from '../projection/history-sink.ts';
import { announceAll } from '../../dialects/announce.ts';
import { presentFrame } from '../../dialects/voipbin/events.ts';
import { type ConversationEvent, fromLogRow, readMessage } from '../../domain/conversation/events.ts';
import { searchTextsOf } from '../../domain/conversation/search.ts';
import type { Message } from '../../domain/conversation/state.ts';
import type { LogRow } from '../../domain/events.ts';
import { projectConversation } from '../../storage/conversation-projection.ts';

/** A conversation in D1: its row, its messages, its events, its words for the search, and the webhook deliveries that it owes. */
export class ConversationHistory implements HistorySource {
  readonly #db: D1Database;
  readonly #aggregate: ConversationAggregate;

  constructor(db: D1Database, aggregate: ConversationAggregate) {
    this.#db = db;
    this.#aggregate = aggregate;
  }

  head(): number {
    return this.#aggregate.conversation?.sequence ?? 0;
  }

  storedCursor(): number {
    return this.#aggregate.record?.historyCursor ?? 0;
  }

  storeCursor(historyCursor: number): void {
    if (this.#aggregate.record) this.#aggregate.commit({ record: { historyCursor } });
  }

  isBehind(cursor: number): boolean {
    return cursor < this.head();
  }

  async project(cursor: number): Promise<Projected> {
    const { record, log, stored } = this.#aggregate;
    if (!record) return { cursor, due: [] };
    const { conversation, announcedUntil } = record;
    const batch = nextLogBatch(log, cursor, (id) => stored.messageText(id));
    const { rows } = batch;
    const events = rows.map((row) => fromLogRow(row, messageOf(batch, row)));
    const unannounced = events.filter(({ sequence }) => sequence > announcedUntil);
    const announcements = unannounced.flatMap((event) => announceAll(conversation.id, event));
    const searchDocuments = searchTextsOf(conversation, events);
    const written = { conversation, rows, messages: messagesJson(batch), announcements, searchDocuments };
    const due = await projectConversation(this.#db, written, Date.now());
    return { cursor: rows.at(-1)?.sequence ?? cursor, due };
  }
}

/** What the row's event is about, or null for an event of the conversation itself. */
function messageOf({ messages }: LogBatch, { messageId }: LogRow): Message | null {
  const text = messageId === null ? undefined : messages.get(messageId);
  return text === undefined ? null : readMessage(text);
}

/** A conversation in the customer's feed: everything under the customer's topic, and under its owner's. */
export class ConversationFeed implements FeedSource {
  readonly #aggregate: Pick<ConversationAggregate, 'conversation' | 'eventsAfter'>;
  /** After the last event that has passed, and after the last one that was asked for. */
  #ownerId: string | null;
  #nextOwnerId: string | null;

  constructor(aggregate: Pick<ConversationAggregate, 'conversation' | 'eventsAfter'>) {
    this.#aggregate = aggregate;
    this.#ownerId = aggregate.conversation?.ownerId ?? null;
    this.#nextOwnerId = this.#ownerId;
  }

  head(): number {
    return this.#aggregate.conversation?.sequence ?? 0;
  }

  customerId(): string {
    return this.#aggregate.conversation?.customerId ?? '';
  }

  publication(cursor: number, limit: number): { publication: Publication; cursor: number } {
    const { conversation } = this.#aggregate;
    if (!conversation) throw new Error('a conversation that does not exist has no events');
    this.#nextOwnerId = this.#ownerId;
    const logged = this.#aggregate.eventsAfter(cursor, limit);
    const events = logged.map((event) => this.#published(event));
    const { id, customerId } = conversation;
    const publication = { customerId, resource: 'conversation' as const, id, agents: [], isPrivate: false, events };
    return { publication, cursor: logged.at(-1)?.sequence ?? cursor };
  }

  passed(): void {
    this.#ownerId = this.#nextOwnerId;
  }

  /** Both owners hear of a change: the present one, and the one who has just lost the conversation. */
  #published(event: ConversationEvent): PublishedEvent {
    const frame = presentFrame(event);
    const before = this.#nextOwnerId;
    if ('conversation' in event) this.#nextOwnerId = event.conversation.ownerId;
    const also = [...new Set([before, this.#nextOwnerId].filter((owner) => owner !== null))];
    return { type: frame.type, text: JSON.stringify(frame), also };
  }
}
