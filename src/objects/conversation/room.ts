import { applyEvent, place } from '../../domain/conversation/apply.ts';
import { newSend } from '../../domain/conversation/sends.ts';
import type { ConversationState, Message, Settings } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import { isMessageEvent, type ConversationEvent, type NewConversationEvent } from '../../domain/conversation/events.ts';
import { toLogRow } from '../../domain/conversation/log-row.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { nextMicros, type Micros } from '../../domain/time.ts';
import type { ConversationRecord, ConversationStore } from '../store/conversation-store.ts';
import type { LogStore } from '../store/log-store.ts';

/** What a commit changes beside the log: parts of the record, and rows that belong to the same transaction. */
interface Alongside {
  settings?: Settings;
  replyToken?: ConversationRecord['replyToken'];
  rows?: () => void;
}

/** One conversation's stored state and the only way to change it. Everything here is synchronous: no await can come between. */
export class Room {
  readonly storage: DurableObjectStorage;
  readonly store: ConversationStore;
  readonly log: LogStore;

  constructor(storage: DurableObjectStorage, store: ConversationStore, log: LogStore) {
    this.storage = storage;
    this.store = store;
    this.log = log;
  }

  /** The conversation, if it is this customer's and not deleted. A foreign one is as unknown as none (spec section 9). */
  find(customerId: string): Result<ConversationState, Refusal> {
    const conversation = this.store.record()?.conversation;
    if (!conversation || conversation.customerId !== customerId || conversation.deletedAt !== null) {
      return err({ code: 'CONVERSATION_NOT_FOUND' });
    }
    return ok(conversation);
  }

  /** A message of it that is not deleted. */
  findMessage(customerId: string, messageId: string): Result<Message, Refusal> {
    const found = this.find(customerId);
    if (!found.ok) return found;
    const message = this.store.message(messageId);
    if (!message || message.deletedAt !== null) return err({ code: 'CONVERSATION_MESSAGE_NOT_FOUND' });
    return ok(message);
  }

  /** The timestamp of the commit that is being decided. */
  now(): Micros {
    return nextMicros(this.store.record()?.lastAt ?? 0, Date.now());
  }

  /** Log, state, messages, sends and `rows`, all or nothing. @throws only on a bug or a broken disk, leaving nothing behind. */
  commit(events: NewConversationEvent[], at: Micros, alongside: Alongside = {}): void {
    this.storage.transactionSync(() => {
      this.store.prepare();
      const before = this.store.record();
      const placed = place(events, before?.conversation.sequence ?? 0, at);
      placed.forEach((event) => this.#append(event));
      const after = placed.reduce<ConversationState | null>(applyEvent, before?.conversation ?? null);
      const unchanged = placed.length === 0 && !alongside.settings && alongside.replyToken === undefined;
      if (after && !unchanged) this.store.saveRecord(recordOf(before, after, at, alongside));
      alongside.rows?.();
    });
  }

  #append(event: ConversationEvent): void {
    this.log.append(toLogRow(event));
    if (!isMessageEvent(event)) return;
    this.store.saveMessage(event.message);
    if (event.type !== 'message.created') return;
    const messageId = event.message.id;
    for (const { id: deliveryId, accountId, target: lane } of event.message.deliveries) {
      this.store.saveDelivery(deliveryId, messageId);
      this.store.saveSend(newSend({ deliveryId, messageId, accountId, lane, position: event.sequence }));
    }
  }
}

function recordOf(
  before: ConversationRecord | null,
  conversation: ConversationState,
  at: Micros,
  alongside: Alongside,
): ConversationRecord {
  const record = before ?? firstRecord(conversation, at, alongside.settings);
  const { settings = record.settings, replyToken = record.replyToken } = alongside;
  return { ...record, conversation, lastAt: at, settings, replyToken };
}

function firstRecord(conversation: ConversationState, at: Micros, settings: Settings | undefined): ConversationRecord {
  if (!settings) throw new Error('the first commit of a conversation brings its settings');
  return {
    conversation,
    settings,
    lastAt: at,
    historyCursor: 0,
    replyToken: null,
  };
}
