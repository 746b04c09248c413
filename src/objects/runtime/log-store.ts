import type { EventType } from '../../domain/events.ts';
import type { LogRow } from '../../domain/log-row.ts';

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
    return this.#sql
      .exec<Row>('SELECT * FROM log WHERE sequence > ? ORDER BY sequence LIMIT ?', sequence, limit)
      .toArray()
      .map(({ message_id, ...row }) => ({ ...row, messageId: message_id }));
  }
}
