import type { EventType, LogRow } from '../../domain/events.ts';
import { HOUR, type Millis } from '../../domain/time.ts';

/** The log's table, for every kind of object that keeps one. */
export const LOG_SQL = `
  CREATE TABLE log (
    sequence INTEGER PRIMARY KEY,
    type TEXT NOT NULL,
    message_id TEXT,
    facts TEXT NOT NULL,
    at INTEGER NOT NULL
  );`;

type Row = { sequence: number; type: EventType; message_id: string | null; facts: string; at: number };

/** The append-only log of one object: dense sequences from 1. Its primary key refuses a sequence given twice. */
export class LogStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  append(row: LogRow): void {
    this.#sql.exec(
      'INSERT INTO log (sequence, type, message_id, facts, at) VALUES (?, ?, ?, ?, ?)',
      row.sequence,
      row.type,
      row.messageId,
      row.facts,
      row.at,
    );
  }

  /** The same event with other facts: for an erasure or a migration, and for nothing else. */
  replace({ sequence, facts }: LogRow): void {
    this.#sql.exec('UPDATE log SET facts = ? WHERE sequence = ?', facts, sequence);
  }

  after(sequence: number, limit: number): LogRow[] {
    const query = 'SELECT * FROM log WHERE sequence > ? ORDER BY sequence LIMIT ?';
    return this.#sql.exec<Row>(query, sequence, limit).toArray().map(toLogRow);
  }

  /** All rows of some types, oldest first. It goes through the whole log: for what is rare. */
  ofTypes(types: EventType[]): LogRow[] {
    const query = 'SELECT * FROM log WHERE type IN (SELECT value FROM json_each(?)) ORDER BY sequence';
    return this.#sql.exec<Row>(query, JSON.stringify(types)).toArray().map(toLogRow);
  }
}

const toLogRow = ({ message_id, ...row }: Row): LogRow => ({ ...row, messageId: message_id });

export const KEYS_SQL = `
      CREATE TABLE keys (key TEXT PRIMARY KEY, message_id TEXT NOT NULL, fingerprint TEXT NOT NULL, expires_ms INTEGER) WITHOUT ROWID;`;

/** What a key was used for. */
export interface UsedKey {
  /** Empty where it made no message. */
  messageId: string;
  fingerprint: string;
}

/** A key that is used up: a provider's id (`in:…`, which never expires), an Idempotency-Key (`api:…`, 24 hours). */
export interface NewKey extends UsedKey {
  key: string;
  /** Null: never. */
  expiresAt: Millis | null;
}

/** Keys that make a repeat harmless. Stored in the same transaction as what they stand for. */
export class KeyStore {
  readonly #sql: SqlStorage;
  readonly #isReady: () => boolean;
  #droppedAt: Millis = 0;

  /** `isReady`: whether the table is there, which it is from the first commit on. */
  constructor(sql: SqlStorage, isReady: () => boolean) {
    this.#sql = sql;
    this.#isReady = isReady;
  }

  used(key: string, now: Millis): UsedKey | null {
    if (!this.#isReady()) return null;
    const rows = this.#sql.exec<{ message_id: string; fingerprint: string; expires_ms: number | null }>(
      'SELECT message_id, fingerprint, expires_ms FROM keys WHERE key = ?',
      key,
    );
    const row = rows.toArray()[0];
    if (!row || (row.expires_ms !== null && row.expires_ms <= now)) return null;
    return { messageId: row.message_id, fingerprint: row.fingerprint };
  }

  /** The providers' ids of everything that came in. */
  incoming(): string[] {
    if (!this.#isReady()) return [];
    const rows = this.#sql.exec<{ key: string }>("SELECT key FROM keys WHERE key LIKE 'in:%'").toArray();
    return rows.map(({ key }) => key);
  }

  save({ key, messageId, fingerprint, expiresAt }: NewKey): void {
    const query = 'INSERT OR REPLACE INTO keys (key, message_id, fingerprint, expires_ms) VALUES (?, ?, ?, ?)';
    this.#sql.exec(query, key, messageId, fingerprint, expiresAt);
  }

  /** Once an hour at most, because it walks over all of them. */
  dropExpired(now: Millis): void {
    if (!this.#isReady() || now < this.#droppedAt + HOUR) return;
    this.#droppedAt = now;
    this.#sql.exec('DELETE FROM keys WHERE expires_ms <= ?', now);
  }
}
