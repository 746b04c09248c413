import { HOUR, type Millis } from '../../domain/time.ts';

export const KEYS_SQL = `
      CREATE TABLE keys (key TEXT PRIMARY KEY, message_id TEXT NOT NULL, fingerprint TEXT NOT NULL, expires_ms INTEGER) WITHOUT ROWID;`;

/** A key that was used once: a provider's id (`in:…`, no end), an Idempotency-Key (`api:…`, 24 hours). */
export interface UsedKey {
  messageId: string;
  fingerprint: string;
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

  save(key: string, used: UsedKey, expires: Millis | null): void {
    const query = 'INSERT OR REPLACE INTO keys (key, message_id, fingerprint, expires_ms) VALUES (?, ?, ?, ?)';
    this.#sql.exec(query, key, used.messageId, used.fingerprint, expires);
  }

  /** Once in an hour at most: it walks over all of them. */
  dropExpired(now: Millis): void {
    if (!this.#isReady() || now < this.#droppedAt + HOUR) return;
    this.#droppedAt = now;
    this.#sql.exec('DELETE FROM keys WHERE expires_ms <= ?', now);
  }
}
