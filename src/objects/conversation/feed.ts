import type { ConversationAggregate } from './aggregate.ts';
import type { PublishedEvent, Publication } from '../live/feed-protocol.ts';
import type { FeedSource } from '../projection/feed-sink.ts';
import { presentFrame } from '../../dialects/voipbin/events.ts';
import type { ConversationEvent } from '../../domain/conversation/events.ts';
import { fromLogRow } from '../../domain/conversation/log-row.ts';

/** What the feed hears of a conversation: everything under the customer's topic, and under its owner's. */
export class ConversationFeed implements FeedSource {
  readonly #aggregate: ConversationAggregate;
  /** After the last event that has passed, and after the last one that was asked for. */
  #ownerId: string | null;
  #nextOwnerId: string | null;

  constructor(aggregate: ConversationAggregate) {
    this.#aggregate = aggregate;
    this.#ownerId = aggregate.store.record()?.conversation.ownerId ?? null;
    this.#nextOwnerId = this.#ownerId;
  }

  head(): number {
    return this.#aggregate.store.record()?.conversation.sequence ?? 0;
  }

  customerId(): string {
    return this.#aggregate.store.record()?.conversation.customerId ?? '';
  }

  publication(cursor: number, limit: number): { publication: Publication; cursor: number } {
    const conversation = this.#aggregate.store.record()?.conversation;
    if (!conversation) throw new Error('a conversation that is not there has no events');
    this.#nextOwnerId = this.#ownerId;
    const rows = this.#aggregate.log.after(cursor, limit);
    const events = rows.map((row) =>
      this.#published(fromLogRow(row, row.messageId === null ? null : this.#aggregate.store.message(row.messageId))),
    );
    const { id, customerId } = conversation;
    const publication = { customerId, resource: 'conversation' as const, id, agents: [], isPrivate: false, events };
    return { publication, cursor: rows.at(-1)?.sequence ?? cursor };
  }

  passed(): void {
    this.#ownerId = this.#nextOwnerId;
  }

  /** Of a change of owner both hear: who has it now, and who has just lost it. */
  #published(event: ConversationEvent): PublishedEvent {
    const frame = presentFrame(event);
    const before = this.#nextOwnerId;
    if ('conversation' in event) this.#nextOwnerId = event.conversation.ownerId;
    const also = [...new Set([before, this.#nextOwnerId].filter((owner) => owner !== null))];
    return { type: frame.type, text: JSON.stringify(frame), also };
  }
}
