import type { TalkAggregate } from './aggregate.ts';
import type { Publication } from '../live/feed-protocol.ts';
import type { FeedSource } from '../projection/feed-sink.ts';
import { type HistorySource, type Projected, messagesJson, nextLogBatch } from '../projection/history-sink.ts';
import { announceTalk } from '../../dialects/voipbin/events.ts';
import type { Micros } from '../../domain/time.ts';
import { projectTalk } from '../../storage/talk-projection.ts';

/** A talk in D1: its row, its participants with their read positions, its messages, its events, and the webhook deliveries that it owes. */
export class TalkHistory implements HistorySource {
  readonly #db: D1Database;
  readonly #aggregate: TalkAggregate;
  /** The newest read position that D1 has, beyond the stored one, or 0. */
  #readsCursor: Micros = 0;

  constructor(db: D1Database, aggregate: TalkAggregate) {
    this.#db = db;
    this.#aggregate = aggregate;
  }

  head(): number {
    return this.#aggregate.talk?.state.sequence ?? 0;
  }

  storedCursor(): number {
    return this.#aggregate.cursors.historyCursor;
  }

  storeCursor(historyCursor: number): void {
    this.#aggregate.saveCursors(historyCursor, this.#readsInD1());
  }

  isBehind(cursor: number): boolean {
    return cursor < this.head() || this.#readsInD1() < this.#aggregate.lastReadAt;
  }

  async project(cursor: number): Promise<Projected> {
    const { talk, log, stored } = this.#aggregate;
    if (!talk) return { cursor, due: [] };
    const batch = nextLogBatch(log, cursor, (id) => stored.messageText(id));
    const { rows } = batch;
    const readAt = this.#aggregate.lastReadAt;
    const reads = stored.readSince(this.#readsInD1());
    const announcements = rows.map((row) => announceTalk(talk.state.id, row));
    const written = { talk, rows, messages: messagesJson(batch), reads, announcements };
    const due = await projectTalk(this.#db, written, Date.now());
    this.#readsCursor = Math.max(this.#readsCursor, readAt);
    return { cursor: rows.at(-1)?.sequence ?? cursor, due };
  }

  #readsInD1(): Micros {
    return Math.max(this.#readsCursor, this.#aggregate.cursors.readsCursor);
  }
}

/** A talk in the customer's feed: participants hear all of it, and a channel's events everybody who may listen to the customer. */
export class TalkFeed implements FeedSource {
  readonly #aggregate: TalkAggregate;

  constructor(aggregate: TalkAggregate) {
    this.#aggregate = aggregate;
  }

  head(): number {
    return this.#aggregate.talk?.state.sequence ?? 0;
  }

  customerId(): string {
    return this.#aggregate.talk?.state.customerId ?? '';
  }

  publication(cursor: number, limit: number): { publication: Publication; cursor: number } {
    const { talk } = this.#aggregate;
    if (!talk) throw new Error('a talk that does not exist has no events');
    const events = this.#aggregate.framesAfter(cursor, limit);
    const { id, customerId, type } = talk.state;
    const agents = [...talk.participants.keys()];
    const publication = { customerId, resource: 'chat' as const, id, agents, isPrivate: type !== 'channel', events };
    return { publication, cursor: events.at(-1)?.sequence ?? cursor };
  }

  /** Who is concerned follows from the talk as it is. */
  passed(): void {}
}
