import { KEYS_SQL, KeyStore, LOG_SQL } from '../runtime/log-store.ts';
import { isMigrated, migrate, type ObjectMigration } from '../runtime/migrations.ts';
import { readOwnJson } from '../../domain/events.ts';
import { sequenceIn } from '../../domain/talk/ids.ts';
import type { Participant, Talk, TalkMedia, TalkMessage, TalkState } from '../../domain/talk/state.ts';
import type { Micros } from '../../domain/time.ts';

const MIGRATIONS: readonly ObjectMigration[] = [
  {
    id: '0001-talk',
    run: `${LOG_SQL}
      CREATE TABLE record (id INTEGER PRIMARY KEY CHECK (id = 1), data TEXT NOT NULL);
      CREATE TABLE participants (agent_id TEXT PRIMARY KEY, read_at INTEGER NOT NULL, data TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE messages (sequence INTEGER PRIMARY KEY, parent_id TEXT, owner_id TEXT, created_at INTEGER NOT NULL, deleted INTEGER NOT NULL, data TEXT NOT NULL);
      CREATE INDEX messages_thread ON messages (parent_id, sequence) WHERE parent_id IS NOT NULL;
      CREATE TABLE edits (message_id TEXT NOT NULL, at INTEGER NOT NULL, data TEXT NOT NULL, PRIMARY KEY (message_id, at)) WITHOUT ROWID;
      ${KEYS_SQL}`,
  },
];

/** Written only when it changes, and not with every message: the head and the last message follow from the log. */
export interface TalkRecord {
  state: TalkState;
  /** How far D1 has the log, and the read positions, at least (history-sink.ts). */
  historyCursor: number;
  readsCursor: Micros;
}

/** A version of a message before it was edited. */
export interface TalkVersion {
  text: string;
  medias: TalkMedia[];
  at: Micros;
}

/** Where a page begins: before this time and, among messages of exactly that time, before this one. */
export interface Border {
  at: Micros;
  id: string | null;
}

const BEFORE = '(created_at < ? OR (created_at = ? AND sequence < ?))';
const bordered = (before: Border | null): [number, number, number] => {
  const { at, id } = before ?? { at: Number.MAX_SAFE_INTEGER, id: null };
  return [at, at, id === null ? 0 : sequenceIn(id)];
};

/** What may be asked of the store. Its writing methods are the aggregate's alone. */
export type StoredTalk = Pick<
  TalkStore,
  'message' | 'messageText' | 'messagesBefore' | 'repliesBefore' | 'countUnread' | 'edits' | 'readSince'
> & { readonly keys: Pick<KeyStore, 'used'> };

/** The object's SQLite, and nothing else: every method is synchronous, so a commit cannot be interrupted. */
export class TalkStore {
  readonly keys: KeyStore;
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;
  #ready: boolean;
  /** As it is stored; null when it must be read. */
  #record: TalkRecord | null = null;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#sql = storage.sql;
    this.keys = new KeyStore(storage.sql, () => this.#ready);
    this.#ready = isMigrated(storage.sql);
    if (this.#ready) migrate(storage, MIGRATIONS);
  }

  prepare(): void {
    if (this.#ready) return;
    migrate(this.#storage, MIGRATIONS);
    this.#ready = true;
  }

  /** Null until the first commit: an id that somebody made up stores nothing. */
  record(): TalkRecord | null {
    if (!this.#ready) return null;
    this.#record ??= this.#readRecord();
    return this.#record;
  }

  /** After a transaction that failed: what is held in memory may never have been stored. */
  forget(): void {
    this.#ready = isMigrated(this.#sql);
    this.#record = null;
  }

  /** The talk as it is, with what the log adds to the stored record. */
  talk(): Talk | null {
    const record = this.record();
    if (!record) return null;
    const participants = new Map(this.#participants().map((each) => [each.agentId, each]));
    const head = this.#sql.exec<{ head: number }>('SELECT max(sequence) AS head FROM log').one().head;
    const last = this.messagesBefore(null, 1)[0];
    return { state: { ...record.state, sequence: head, lastMessageAt: last?.createdAt ?? null }, participants };
  }

  saveRecord(record: TalkRecord): void {
    const query = 'INSERT INTO record (id, data) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET data = excluded.data';
    this.#sql.exec(query, JSON.stringify(record));
    this.#record = record;
  }

  /** `readAt`: when its read position was moved, which decides whether D1 needs it; 0 when it joins. */
  saveParticipant(participant: Participant, readAt: Micros): void {
    const query = 'INSERT OR REPLACE INTO participants (agent_id, read_at, data) VALUES (?, ?, ?)';
    this.#sql.exec(query, participant.agentId, readAt, JSON.stringify(participant));
  }

  dropParticipant(agentId: string): void {
    this.#sql.exec('DELETE FROM participants WHERE agent_id = ?', agentId);
  }

  /** When the last event was logged, or 0. */
  lastAt(): Micros {
    return this.#ready ? this.#at('SELECT max(at) AS at FROM (SELECT at FROM log ORDER BY sequence DESC LIMIT 1)') : 0;
  }

  /** When the last read position was moved, or 0. */
  lastReadAt(): Micros {
    return this.#ready ? this.#at('SELECT max(read_at) AS at FROM participants') : 0;
  }

  /** Those whose read position was moved after then. */
  readSince(at: Micros): Participant[] {
    return this.#participants('WHERE read_at > ?', at);
  }

  saveMessage(message: TalkMessage): void {
    this.#sql.exec(
      `INSERT INTO messages (sequence, parent_id, owner_id, created_at, deleted, data) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (sequence) DO UPDATE SET deleted = excluded.deleted, data = excluded.data`,
      message.sequence,
      message.parentId,
      message.ownerId,
      message.createdAt,
      message.deletedAt === null ? 0 : 1,
      JSON.stringify(message),
    );
  }

  message(id: string): TalkMessage | null {
    const text = this.messageText(id);
    const message = text === null ? null : readOwnJson<TalkMessage>(text);
    return message?.id === id ? message : null;
  }

  /** The same as it is stored, JSON, for an id that is known to be one of this log. */
  messageText(id: string): string | null {
    const sequence = sequenceIn(id);
    if (!this.#ready || !Number.isSafeInteger(sequence)) return null;
    const rows = this.#sql.exec<{ data: string }>('SELECT data FROM messages WHERE sequence = ?', sequence);
    return rows.toArray()[0]?.data ?? null;
  }

  /** Of the last `limit` messages those with a client_id, newest first. */
  clientIds(limit: number): { id: string; ownerId: string; clientId: string }[] {
    if (!this.#ready) return [];
    const query = `SELECT data ->> 'id' AS id, owner_id AS ownerId, data ->> 'clientId' AS clientId
      FROM (SELECT owner_id, data FROM messages ORDER BY sequence DESC LIMIT ?) WHERE owner_id IS NOT NULL AND clientId <> ''`;
    return this.#sql.exec<{ id: string; ownerId: string; clientId: string }>(query, limit).toArray();
  }

  /** Newest first; deleted ones are among them. */
  messagesBefore(before: Border | null, limit: number): TalkMessage[] {
    return this.#messages(`WHERE ${BEFORE} ORDER BY sequence DESC LIMIT ?`, ...bordered(before), limit);
  }

  /** The answers to one message, newest first. */
  repliesBefore(parentId: string, before: Border | null, limit: number): TalkMessage[] {
    const where = `WHERE parent_id = ? AND ${BEFORE} ORDER BY sequence DESC LIMIT ?`;
    return this.#messages(where, parentId, ...bordered(before), limit);
  }

  /** Messages of other people after a sequence, at most `limit`. */
  countUnread(agentId: string, after: number, limit: number): number {
    const query = `SELECT count(*) AS count FROM (SELECT 1 FROM messages
      WHERE sequence > ? AND deleted = 0 AND owner_id IS NOT NULL AND owner_id <> ? LIMIT ?)`;
    return this.#sql.exec<{ count: number }>(query, after, agentId, limit).one().count;
  }

  saveEdit(messageId: string, edit: TalkVersion): void {
    const query = 'INSERT INTO edits (message_id, at, data) VALUES (?, ?, ?)';
    this.#sql.exec(query, messageId, edit.at, JSON.stringify(edit));
  }

  /** Oldest first. */
  edits(messageId: string): TalkVersion[] {
    const rows = this.#sql.exec<{ data: string }>('SELECT data FROM edits WHERE message_id = ? ORDER BY at', messageId);
    return rows.toArray().map((row) => readOwnJson<TalkVersion>(row.data));
  }

  dropEdits(messageId: string): void {
    this.#sql.exec('DELETE FROM edits WHERE message_id = ?', messageId);
  }

  #at(query: string): Micros {
    return this.#sql.exec<{ at: number | null }>(query).one().at ?? 0;
  }

  #readRecord(): TalkRecord | null {
    const row = this.#sql.exec<{ data: string }>('SELECT data FROM record').toArray()[0];
    return row ? readOwnJson<TalkRecord>(row.data) : null;
  }

  #participants(where = '', ...bindings: number[]): Participant[] {
    const rows = this.#sql.exec<{ data: string }>(`SELECT data FROM participants ${where}`, ...bindings).toArray();
    return rows.map((row) => readOwnJson<Participant>(row.data));
  }

  #messages(where: string, ...bindings: (string | number)[]): TalkMessage[] {
    const rows = this.#sql.exec<{ data: string }>(`SELECT data FROM messages ${where}`, ...bindings).toArray();
    return rows.map((row) => readOwnJson<TalkMessage>(row.data));
  }
}
