import type { HistorySource, Projected } from '../projection/history-sink.ts';
import { messagesJson, nextLogBatch, type LogBatch } from '../projection/log-batch.ts';
import type { ConversationStore } from './store.ts';
import type { LogStore } from '../runtime/log-store.ts';
import { announceAll } from '../../dialects/announce.ts';
import { fromLogRow, readMessage } from '../../domain/conversation/log-row.ts';
import { searchTextsOf } from '../../domain/conversation/search.ts';
import type { Message } from '../../domain/conversation/state.ts';
import type { LogRow } from '../../domain/log-row.ts';
import { projectConversation } from '../../storage/conversation-projection.ts';

/** A conversation as D1 has it: its row, its messages, its events, and what webhooks must be told. */
export class ConversationHistory implements HistorySource {
  readonly #db: D1Database;
  readonly #store: ConversationStore;
  readonly #log: LogStore;

  constructor(db: D1Database, store: ConversationStore, log: LogStore) {
    this.#db = db;
    this.#store = store;
    this.#log = log;
  }

  head(): number {
    return this.#store.record()?.conversation.sequence ?? 0;
  }

  storedCursor(): number {
    return this.#store.record()?.historyCursor ?? 0;
  }

  storeCursor(historyCursor: number): void {
    const record = this.#store.record();
    if (record) this.#store.saveRecord({ ...record, historyCursor });
  }

  isBehind(cursor: number): boolean {
    return cursor < this.head();
  }

  async project(cursor: number): Promise<Projected> {
    const record = this.#store.record();
    if (!record) return { cursor, due: [] };
    const { conversation } = record;
    const batch = nextLogBatch(this.#log, cursor, (id) => this.#store.messageText(id));
    const { rows } = batch;
    const events = rows.map((row) => fromLogRow(row, messageOf(batch, row)));
    const news = events.filter(({ sequence }) => sequence > (record.quietUntil ?? 0));
    const announcements = news.flatMap((event) => announceAll(conversation.id, event));
    const found = searchTextsOf(conversation, events);
    const written = { conversation, rows, messages: messagesJson(batch), announcements, found };
    const due = await projectConversation(this.#db, written, Date.now());
    return { cursor: rows.at(-1)?.sequence ?? cursor, due };
  }
}

/** What the row's event is about, or null for an event of the conversation itself. */
function messageOf({ messages }: LogBatch, { messageId }: LogRow): Message | null {
  const text = messageId === null ? undefined : messages.get(messageId);
  return text === undefined ? null : readMessage(text);
}
