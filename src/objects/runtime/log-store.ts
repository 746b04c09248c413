import type { EventType, LogRow } from '../../domain/events.ts';

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
