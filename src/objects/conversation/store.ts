import type { ConversationState, Message, Settings } from '../../domain/conversation/state.ts';
import { NOTHING_PENDING, type Pending } from '../../domain/conversation/automation/automation.ts';
import type { Change } from '../../domain/conversation/change.ts';
import type { ChannelOption } from '../../domain/conversation/delivery/channel-choice.ts';
import type { Consent } from '../../domain/conversation/consent.ts';
import type { Watermark } from '../../domain/conversation/delivery/watermark.ts';
import type { ReplyToken } from '../../domain/conversation/commands.ts';
import type { Send } from '../../domain/conversation/delivery/sends.ts';
import { readMessage } from '../../domain/conversation/log-row.ts';
import { upgradeStoredState, type StoredState } from '../../domain/conversation/identity/stored-state.ts';
import { readOwnJson } from '../../domain/log-row.ts';
import type { Micros } from '../../domain/time.ts';
import { KEYS_SQL, KeyStore } from '../runtime/key-store.ts';
import { LOG_SQL } from '../runtime/log-store.ts';
import { isMigrated, migrate, type ObjectMigration } from '../runtime/migrations.ts';

const MIGRATIONS: readonly ObjectMigration[] = [
  {
    id: '0001-conversation',
    sql: `${LOG_SQL}
      CREATE TABLE record (id INTEGER PRIMARY KEY CHECK (id = 1), data TEXT NOT NULL);
      CREATE TABLE messages (sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL, deleted INTEGER NOT NULL, data TEXT NOT NULL);
      CREATE TABLE deliveries (id TEXT PRIMARY KEY, message_id TEXT NOT NULL) WITHOUT ROWID;
      ${KEYS_SQL}
      CREATE TABLE sends (delivery_id TEXT PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID;`,
  },
  // Which events of the log turned a mode or an owner over: the histories are read from there.
  {
    id: '0002-changes',
    sql: 'CREATE TABLE changes (sequence INTEGER PRIMARY KEY, at INTEGER NOT NULL, of_mode INTEGER NOT NULL, of_owner INTEGER NOT NULL);',
  },
  // What may be tried when a delivery fails for good (domain/conversation/fallback.ts).
  {
    id: '0003-spares',
    sql: 'CREATE TABLE spares (delivery_id TEXT PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID;',
  },
];

/** Everything but the log, the messages and the keys: one row, so that a commit writes few rows. */
export interface ConversationRecord {
  conversation: ConversationState;
  settings: Settings;
  /** The newest timestamp given out. */
  lastAt: Micros;
  /** How far D1 has the log, at least (history-sink.ts). */
  historyCursor: number;
  /** Up to there events were announced before D1 had to be filled anew: they are not announced again. */
  quietUntil?: number;
  replyToken: (ReplyToken & { addressName?: string }) | null;
  /** What was heard of the contact's consent, by the way that it is about: its newest word counts. */
  consents: Record<string, KnownConsent>;
  pending: Pending;
  /** By the way that each is about. */
  horizons: Record<string, Watermark>;
}

export interface KnownConsent {
  at: Micros;
  /** As long as the AddressObject has not been told of it. */
  untold: Consent | null;
}

/** Parts of a record that older versions of Parley did not write. */
const ABSENT_BEFORE = { consents: {}, horizons: {}, pending: NOTHING_PENDING };

/** Also as the first release wrote it: the names of the AddressObjects whose addresses were erased stood beside the state. */
type StoredRecord = Omit<ConversationRecord, 'conversation'> & { conversation: StoredState; forgotten?: string[] };

export type ChangeKind = 'mode' | 'owner';

const WHERE_KIND: Record<ChangeKind, string> = { mode: 'of_mode = 1', owner: 'of_owner = 1' };

/** The object's SQLite, and nothing else: every method is synchronous, so a commit cannot be interrupted. */
export class ConversationStore {
  readonly keys: KeyStore;
  readonly #storage: DurableObjectStorage;
  #ready: boolean;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.keys = new KeyStore(storage.sql, () => this.#ready);
    this.#ready = isMigrated(storage.sql);
    if (this.#ready) migrate(storage, MIGRATIONS);
  }

  /** Null until the first commit: an id that somebody made up stores nothing. */
  record(): ConversationRecord | null {
    if (!this.#ready) return null;
    const row = this.#storage.sql.exec<{ data: string }>('SELECT data FROM record').toArray()[0];
    if (!row) return null;
    const { forgotten, ...stored } = readOwnJson<StoredRecord>(row.data);
    const record = { ...ABSENT_BEFORE, ...stored };
    const pending = { ...NOTHING_PENDING, ...record.pending };
    return { ...record, pending, conversation: upgradeStoredState(record.conversation, forgotten) };
  }

  prepare(): void {
    if (this.#ready) return;
    migrate(this.#storage, MIGRATIONS);
    this.#ready = true;
  }

  /** After everything was deleted: as before the first commit. */
  forget(): void {
    this.#ready = false;
  }

  saveRecord(record: ConversationRecord): void {
    const data = JSON.stringify(record);
    this.#storage.sql.exec(
      'INSERT INTO record (id, data) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET data = excluded.data',
      data,
    );
  }

  saveMessage(message: Message): void {
    this.#storage.sql.exec(
      `INSERT INTO messages (sequence, id, created_at, deleted, data) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (sequence) DO UPDATE SET deleted = excluded.deleted, data = excluded.data`,
      message.sequence,
      message.id,
      message.createdAt,
      message.deletedAt === null ? 0 : 1,
      JSON.stringify(message),
    );
  }

  message(id: string): Message | null {
    return this.#messages('SELECT data FROM messages WHERE id = ?', id)[0] ?? null;
  }

  /** All of them, deleted ones too, oldest first. */
  everyMessage(): Message[] {
    return this.#ready ? this.#messages('SELECT data FROM messages ORDER BY sequence') : [];
  }

  /** The same as it is stored: JSON. */
  messageText(id: string): string | null {
    const rows = this.#storage.sql.exec<{ data: string }>('SELECT data FROM messages WHERE id = ?', id);
    return rows.toArray()[0]?.data ?? null;
  }

  /** Which message a delivery belongs to: receipts name the delivery, long after its send is over. */
  saveDelivery(deliveryId: string, messageId: string): void {
    this.#storage.sql.exec('INSERT INTO deliveries (id, message_id) VALUES (?, ?)', deliveryId, messageId);
  }

  messageOfDelivery(deliveryId: string): Message | null {
    const query = 'SELECT data FROM messages WHERE id = (SELECT message_id FROM deliveries WHERE id = ?)';
    return this.#messages(query, deliveryId)[0] ?? null;
  }

  /** Newest first, without the deleted ones. */
  messagesBefore(createdAt: Micros | null, limit: number): Message[] {
    const before = createdAt ?? Number.MAX_SAFE_INTEGER;
    const query = 'SELECT data FROM messages WHERE created_at < ? AND deleted = 0 ORDER BY sequence DESC LIMIT ?';
    return this.#messages(query, before, limit);
  }

  /** Newest first: those before a place in the log, without the deleted ones. */
  messagesUnder(sequence: number, limit: number): Message[] {
    const query = 'SELECT data FROM messages WHERE sequence < ? AND deleted = 0 ORDER BY sequence DESC LIMIT ?';
    return this.#messages(query, sequence, limit);
  }

  /** Newest first: what we had written until a time. */
  sentUntil(at: Micros, limit: number): Message[] {
    if (!this.#ready) return [];
    const query = `SELECT data FROM messages WHERE created_at <= ? AND deleted = 0 AND data ->> 'direction' = 'outgoing'
      ORDER BY sequence DESC LIMIT ?`;
    return this.#messages(query, at, limit);
  }

  /** Newest first: what the contact has said from a place in the log on. */
  incomingSince(sequence: number, limit: number): Message[] {
    const query = `SELECT data FROM messages WHERE sequence >= ? AND deleted = 0 AND data ->> 'direction' = 'incoming'
      ORDER BY sequence DESC LIMIT ?`;
    return this.#messages(query, sequence, limit);
  }

  /** Oldest first: what came after a sender's view of the conversation. */
  messagesAfter(sequence: number, limit: number): Message[] {
    const query = 'SELECT data FROM messages WHERE sequence > ? AND deleted = 0 ORDER BY sequence LIMIT ?';
    return this.#messages(query, sequence, limit);
  }

  saveChange({ mode, owner }: Change, sequence: number, at: Micros): void {
    const query = 'INSERT INTO changes (sequence, at, of_mode, of_owner) VALUES (?, ?, ?, ?)';
    this.#storage.sql.exec(query, sequence, at, mode ? 1 : 0, owner ? 1 : 0);
  }

  /** The sequences of the changes of one kind before a time (null: of all), newest first. */
  changesBefore(kind: ChangeKind, at: Micros | null, limit: number): number[] {
    const query = `SELECT sequence FROM changes WHERE at < ? AND ${WHERE_KIND[kind]} ORDER BY sequence DESC LIMIT ?`;
    const rows = this.#storage.sql.exec<{ sequence: number }>(query, at ?? Number.MAX_SAFE_INTEGER, limit);
    return rows.toArray().map((row) => row.sequence);
  }

  /** The same before a place in the log, of every kind. */
  changesUnder(sequence: number, limit: number): number[] {
    const query = 'SELECT sequence FROM changes WHERE sequence < ? ORDER BY sequence DESC LIMIT ?';
    const rows = this.#storage.sql.exec<{ sequence: number }>(query, sequence, limit);
    return rows.toArray().map((row) => row.sequence);
  }

  sends(): Send[] {
    if (!this.#ready) return [];
    const rows = this.#storage.sql.exec<{ data: string }>('SELECT data FROM sends').toArray();
    return rows.map((row) => readOwnJson<Send>(row.data));
  }

  saveSend(send: Send): void {
    const query = 'INSERT OR REPLACE INTO sends (delivery_id, data) VALUES (?, ?)';
    this.#storage.sql.exec(query, send.deliveryId, JSON.stringify(send));
  }

  fallbackOptions(deliveryId: string): ChannelOption[] {
    const query = 'SELECT data FROM spares WHERE delivery_id = ?';
    const row = this.#storage.sql.exec<{ data: string }>(query, deliveryId).toArray()[0];
    return row ? readOwnJson<ChannelOption[]>(row.data) : [];
  }

  saveFallbackOptions(deliveryId: string, options: ChannelOption[]): void {
    if (options.length === 0) return;
    const query = 'INSERT OR REPLACE INTO spares (delivery_id, data) VALUES (?, ?)';
    this.#storage.sql.exec(query, deliveryId, JSON.stringify(options));
  }

  dropFallbackOptions(deliveryId: string): void {
    this.#storage.sql.exec('DELETE FROM spares WHERE delivery_id = ?', deliveryId);
  }

  dropSendsOf(messageId: string): void {
    for (const send of this.sends()) if (send.messageId === messageId) this.dropSend(send.deliveryId);
  }

  dropSend(deliveryId: string): void {
    this.#storage.sql.exec('DELETE FROM sends WHERE delivery_id = ?', deliveryId);
  }

  #messages(query: string, ...bindings: (string | number)[]): Message[] {
    const rows = this.#storage.sql.exec<{ data: string }>(query, ...bindings).toArray();
    return rows.map((row) => readMessage(row.data));
  }
}
