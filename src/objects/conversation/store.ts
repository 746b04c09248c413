import { z } from 'zod';
import { MIGRATIONS } from './migrations.ts';
import type { Pending } from '../../domain/conversation/automation/automation.ts';

import type { ReplyToken } from '../../domain/conversation/commands.ts';
import type { KnownConsent } from '../../domain/conversation/consent.ts';
import type { ChannelOption } from '../../domain/conversation/state.ts';
import type { Send } from '../../domain/conversation/delivery/sends.ts';
import type { Watermark } from '../../domain/conversation/delivery/watermark.ts';
import { readMessage, type Change } from '../../domain/conversation/events.ts';
import type { ConversationState, Message, Settings } from '../../domain/conversation/state.ts';
import { readOwnJson } from '../../domain/events.ts';
import type { Micros } from '../../domain/time.ts';
import { KeyStore } from '../runtime/log-store.ts';
import { isMigrated, migrate } from '../runtime/migrations.ts';

/** Everything but the log, the messages, the sends and the keys: one row, so that a commit writes few rows. */
export interface ConversationRecord {
  conversation: ConversationState;
  settings: Settings;
  /** The newest timestamp given out. */
  lastAt: Micros;
  /** How far D1 has the log, at least (projection/history-sink.ts). */
  historyCursor: number;
  /** Webhooks have heard of the events up to here. Past the history cursor after an erasure, which rewinds that: nothing is announced twice. */
  announcedUntil: number;
  replyToken: (ReplyToken & { addressName: string }) | null;
  /** By AddressObject name; the newest word counts. */
  consents: Record<string, KnownConsent>;
  /** By AddressObject name. */
  watermarks: Record<string, Watermark>;
  pending: Pending;
}

/** What an erasure takes out of a conversation, by ids alone. */
const erasedPartsSchema = z.object({
  /** Of the AddressObjects through which the erased people were reached. */
  addressNames: z.array(z.string()),
  messageIds: z.array(z.string()),
  /** Uploads that were attached to these messages and to no other. */
  uploads: z.array(z.string()),
});

export type ErasedParts = z.infer<typeof erasedPartsSchema>;

const tombstoneSchema = erasedPartsSchema.extend({
  customerId: z.string(),
  /** Hashes of the provider ids that came in: a redelivery must not start a conversation anew. */
  keys: z.array(z.string()),
});

/** All that is left of a conversation that was erased as a whole. */
export type Tombstone = z.infer<typeof tombstoneSchema>;

const TOMBSTONE = 'tombstone';
/** The parts that a partial erasure took out, until they are gone outside the object too. */
const UNFINISHED_ERASURE = 'unfinished-erasure';

export type ChangeKind = 'mode' | 'owner';

const WHERE_KIND: Record<ChangeKind, string> = { mode: 'of_mode = 1', owner: 'of_owner = 1' };

/** What may be asked of the store. Its writing methods are the aggregate's alone. */
export type StoredConversation = Pick<
  ConversationStore,
  | 'message'
  | 'everyMessage'
  | 'messageText'
  | 'messageOfDelivery'
  | 'messagesBefore'
  | 'messagesUnder'
  | 'messagesAfter'
  | 'sentUntil'
  | 'incomingSince'
  | 'changesBefore'
  | 'changesUnder'
  | 'fallbackOptions'
> & { readonly keys: Pick<KeyStore, 'used' | 'incoming'> };

/**
 * The object's SQLite, and nothing else: every method is synchronous, so a commit cannot be interrupted. The record and the sends are
 * held in memory, because every decision asks for them; whoever writes them does so in a transaction, and calls `forget` when it fails.
 */
export class ConversationStore {
  readonly keys: KeyStore;
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;
  #ready: boolean;
  /** As they are stored; null when they must be read. */
  #record: ConversationRecord | null = null;
  #sends: Map<string, Send> | null = null;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#sql = storage.sql;
    this.keys = new KeyStore(storage.sql, () => this.#ready);
    this.#ready = isMigrated(storage.sql);
    if (this.#ready) migrate(storage, MIGRATIONS);
  }

  /** Null until the first commit: an id that somebody made up stores nothing. */
  record(): ConversationRecord | null {
    if (!this.#ready) return null;
    this.#record ??= this.#readRecord();
    return this.#record;
  }

  /** Those that nobody has reported the end of. */
  sends(): readonly Send[] {
    return [...this.#sendsById().values()];
  }

  send(deliveryId: string): Send | null {
    return this.#sendsById().get(deliveryId) ?? null;
  }

  /** Makes the tables, for the first commit. */
  prepare(): void {
    if (this.#ready) return;
    migrate(this.#storage, MIGRATIONS);
    this.#ready = true;
  }

  /** After a transaction that failed: what is held in memory may never have been stored. */
  forget(): void {
    this.#ready = isMigrated(this.#sql);
    this.#record = null;
    this.#sends = null;
  }

  /** Everything goes but the tombstone. Nothing is awaited, so no message can come between; the object's answer waits until it is durable. */
  bury(tombstone: Tombstone): void {
    void this.#storage.deleteAll();
    this.#ready = false;
    this.#record = null;
    this.#sends = null;
    this.#storage.kv.put(TOMBSTONE, JSON.stringify(tombstone));
  }

  tombstone(): Tombstone | null {
    const stored = this.#storage.kv.get<string>(TOMBSTONE);
    return stored === undefined ? null : tombstoneSchema.parse(JSON.parse(stored));
  }

  unfinishedErasure(): ErasedParts | null {
    const stored = this.#storage.kv.get<string>(UNFINISHED_ERASURE);
    return stored === undefined ? null : erasedPartsSchema.parse(JSON.parse(stored));
  }

  saveUnfinishedErasure(parts: ErasedParts | null): void {
    if (parts) this.#storage.kv.put(UNFINISHED_ERASURE, JSON.stringify(parts));
    else this.#storage.kv.delete(UNFINISHED_ERASURE);
  }

  saveRecord(record: ConversationRecord): void {
    const query = 'INSERT INTO record (id, data) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET data = excluded.data';
    this.#sql.exec(query, JSON.stringify(record));
    this.#record = record;
  }

  saveMessage(message: Message): void {
    this.#sql.exec(
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
    return this.#messages('SELECT data FROM messages ORDER BY sequence');
  }

  /** The same as `message`, as it is stored: JSON. */
  messageText(id: string): string | null {
    const rows = this.#sql.exec<{ data: string }>('SELECT data FROM messages WHERE id = ?', id);
    return rows.toArray()[0]?.data ?? null;
  }

  /** Which message a delivery belongs to: receipts name the delivery, long after its send is over. */
  saveDelivery(deliveryId: string, messageId: string): void {
    this.#sql.exec('INSERT INTO deliveries (id, message_id) VALUES (?, ?)', deliveryId, messageId);
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

  /** Newest first: those before a sequence of the log, without the deleted ones. */
  messagesUnder(sequence: number, limit: number): Message[] {
    const query = 'SELECT data FROM messages WHERE sequence < ? AND deleted = 0 ORDER BY sequence DESC LIMIT ?';
    return this.#messages(query, sequence, limit);
  }

  /** Newest first: our own messages up to a time. */
  sentUntil(at: Micros, limit: number): Message[] {
    const query = `SELECT data FROM messages WHERE created_at <= ? AND deleted = 0 AND data ->> 'direction' = 'outgoing'
      ORDER BY sequence DESC LIMIT ?`;
    return this.#messages(query, at, limit);
  }

  /** Newest first: the contact's messages from a sequence of the log on. */
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

  /** Mode and owner have histories of their own, which are read from the log by these sequences. */
  saveChange({ mode, owner }: Change, sequence: number, at: Micros): void {
    const query = 'INSERT INTO changes (sequence, at, of_mode, of_owner) VALUES (?, ?, ?, ?)';
    this.#sql.exec(query, sequence, at, mode ? 1 : 0, owner ? 1 : 0);
  }

  /** The sequences of the changes of one kind before a time (null: of all), newest first. */
  changesBefore(kind: ChangeKind, at: Micros | null, limit: number): number[] {
    const query = `SELECT sequence FROM changes WHERE at < ? AND ${WHERE_KIND[kind]} ORDER BY sequence DESC LIMIT ?`;
    const rows = this.#sql.exec<{ sequence: number }>(query, at ?? Number.MAX_SAFE_INTEGER, limit);
    return rows.toArray().map((row) => row.sequence);
  }

  /** The same of both kinds, before a sequence of the log. */
  changesUnder(sequence: number, limit: number): number[] {
    const query = 'SELECT sequence FROM changes WHERE sequence < ? ORDER BY sequence DESC LIMIT ?';
    const rows = this.#sql.exec<{ sequence: number }>(query, sequence, limit);
    return rows.toArray().map((row) => row.sequence);
  }

  saveSend(send: Send): void {
    const query = 'INSERT OR REPLACE INTO sends (delivery_id, data) VALUES (?, ?)';
    this.#sql.exec(query, send.deliveryId, JSON.stringify(send));
    this.#sendsById().set(send.deliveryId, send);
  }

  dropSend(deliveryId: string): void {
    if (this.#sendsById().delete(deliveryId)) this.#sql.exec('DELETE FROM sends WHERE delivery_id = ?', deliveryId);
  }

  /** What may be tried when the delivery fails for good, the best first. */
  fallbackOptions(deliveryId: string): ChannelOption[] {
    const query = 'SELECT data FROM fallback_options WHERE delivery_id = ?';
    const row = this.#sql.exec<{ data: string }>(query, deliveryId).toArray()[0];
    return row ? readOwnJson<ChannelOption[]>(row.data) : [];
  }

  saveFallbackOptions(deliveryId: string, options: ChannelOption[]): void {
    if (options.length === 0) {
      this.#sql.exec('DELETE FROM fallback_options WHERE delivery_id = ?', deliveryId);
      return;
    }
    const query = 'INSERT OR REPLACE INTO fallback_options (delivery_id, data) VALUES (?, ?)';
    this.#sql.exec(query, deliveryId, JSON.stringify(options));
  }

  #readRecord(): ConversationRecord | null {
    const row = this.#sql.exec<{ data: string }>('SELECT data FROM record').toArray()[0];
    return row ? readOwnJson<ConversationRecord>(row.data) : null;
  }

  #sendsById(): Map<string, Send> {
    this.#sends ??= this.#readSends();
    return this.#sends;
  }

  #readSends(): Map<string, Send> {
    if (!this.#ready) return new Map();
    const rows = this.#sql.exec<{ data: string }>('SELECT data FROM sends ORDER BY delivery_id').toArray();
    return new Map(rows.map((row) => readOwnJson<Send>(row.data)).map((send) => [send.deliveryId, send]));
  }

  /** None before the first commit, which makes the table. */
  #messages(query: string, ...bindings: (string | number)[]): Message[] {
    if (!this.#ready) return [];
    const rows = this.#sql.exec<{ data: string }>(query, ...bindings).toArray();
    return rows.map((row) => readMessage(row.data));
  }
}
