import type { HistorySource, Projected } from '../projection/history-sink.ts';
import { messagesJson, nextLogBatch } from '../projection/log-batch.ts';
import type { TalkAggregate } from './aggregate.ts';
import { announceTalk } from '../../dialects/voipbin/events.ts';
import type { Micros } from '../../domain/time.ts';
import { projectTalk } from '../../storage/talk-projection.ts';

/** A talk as D1 has it: its row, its participants with their read positions, its messages, its events, and what webhooks must be told. */
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
    return this.#aggregate.store.record()?.historyCursor ?? 0;
  }

  storeCursor(historyCursor: number): void {
    const record = this.#aggregate.store.record();
    if (record) this.#aggregate.store.saveRecord({ ...record, historyCursor, readsCursor: this.#readsPlace() });
  }

  isBehind(cursor: number): boolean {
    return cursor < this.head() || this.#readsPlace() < this.#aggregate.lastReadAt;
  }

  async project(cursor: number): Promise<Projected> {
    const { talk, log, store } = this.#aggregate;
    if (!talk) return { cursor, due: [] };
    const batch = nextLogBatch(log, cursor, (id) => store.messageText(id));
    const { rows } = batch;
    const readAt = this.#aggregate.lastReadAt;
    const reads = store.readSince(this.#readsPlace());
    const announcements = rows.map((row) => announceTalk(talk.state.id, row));
    const written = { talk, rows, messages: messagesJson(batch), reads, announcements };
    const due = await projectTalk(this.#db, written, Date.now());
    this.#readsCursor = Math.max(this.#readsCursor, readAt);
    return { cursor: rows.at(-1)?.sequence ?? cursor, due };
  }

  #readsPlace(): Micros {
    return Math.max(this.#readsCursor, this.#aggregate.store.record()?.readsCursor ?? 0);
  }
}
