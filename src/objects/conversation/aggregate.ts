import {
  applyEvent,
  sequenceEvents,
  isMessageEvent,
  type ConversationEvent,
  type NewConversationEvent,
  fromLogRow,
  toLogRow,
} from '../../domain/conversation/events.ts';
import {
  keepAllowed,
  NOTHING_PENDING,
  startAutomation,
  type Pending,
  withFileTasks,
} from '../../domain/conversation/automation/automation.ts';
import { maySendLess, refencedOf, withdrawSends, type UnderWay } from '../../domain/conversation/automation/fencing.ts';
import type { Automation } from '../../domain/conversation/commands.ts';
import { pendingFallbacksIn } from '../../domain/conversation/delivery/fallback.ts';
import type { FallbackOptions } from '../../domain/conversation/state.ts';
import { newSend, type Send } from '../../domain/conversation/delivery/sends.ts';
import type { ConversationState, Delivery, Message, Settings } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import type { LogRow } from '../../domain/events.ts';
import type { Actor } from '../../domain/permissions.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { nextMicros, type Micros, type Millis } from '../../domain/time.ts';
import { type NewKey, LogStore } from '../runtime/log-store.ts';
import { ConversationStore, type ConversationRecord, type ErasedParts } from './store.ts';
import type { StoredConversation, Tombstone } from './store.ts';

/** What one command changes, as data. `commit` stores all of it or nothing. */
export interface Decision {
  /** From `now()`; absent where nothing in it carries a time. */
  at?: Micros;
  /** What happened, oldest first. */
  events?: NewConversationEvent[];
  /** Who answers the messages that the events create. Absent: nobody does. */
  answeredBy?: Automation;
  /** The parts of the record that change beside the conversation, which follows from the events. The first decision brings `settings`. */
  record?: Partial<Omit<ConversationRecord, 'conversation' | 'lastAt'>>;
  saveSends?: Send[];
  /** Ids of their deliveries. */
  dropSends?: string[];
  /** Keys that are used up by it. */
  keys?: NewKey[];
  /** By delivery; an empty list leaves nothing to try. */
  fallbackOptions?: FallbackOptions;
  /** Messages that change without an event. */
  messages?: Message[];
  /** What an erasure leaves of the conversation and of the log, without an event: the log keeps its length. Comes with `record`. */
  scrubbed?: { conversation: ConversationState; rows: LogRow[] };
  /** What must still be erased outside the object; null when that is done. */
  unfinishedErasure?: ErasedParts | null;
}

/**
 * One conversation's stored state and the only way to change it: `commit`. Everything here is synchronous, so that nothing can happen
 * between reading the state, deciding and committing.
 */
export class ConversationAggregate {
  /** Messages, changes and keys, for reading. */
  readonly stored: StoredConversation;
  readonly log: Pick<LogStore, 'after' | 'ofTypes'>;
  readonly #storage: DurableObjectStorage;
  readonly #store: ConversationStore;
  readonly #log: LogStore;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#store = new ConversationStore(storage);
    this.#log = new LogStore(storage.sql);
    this.stored = this.#store;
    this.log = this.#log;
  }

  /** Null until the first commit, and after an erasure. */
  get record(): Readonly<ConversationRecord> | null {
    return this.#store.record();
  }

  get conversation(): ConversationState | null {
    return this.#store.record()?.conversation ?? null;
  }

  /** Those that nobody has reported the end of. */
  get sends(): readonly Send[] {
    return this.#store.sends();
  }

  send(deliveryId: string): Send | null {
    return this.#store.send(deliveryId);
  }

  /** What is left of a conversation that was erased as a whole; null for every other. */
  get tombstone(): Tombstone | null {
    return this.record === null ? this.#store.tombstone() : null;
  }

  /** Of a partial erasure that has not been finished outside the object; null when there is none. */
  get unfinishedErasure(): ErasedParts | null {
    return this.#store.unfinishedErasure();
  }

  /** Erased for good: nothing begins here again. */
  isErased(): boolean {
    return this.tombstone !== null;
  }

  /** The conversation, if it is this customer's and not deleted. A foreign one is as unknown as none (spec section 9). */
  find(customerId: string): Result<ConversationState, Refusal> {
    const { conversation } = this;
    if (!conversation || conversation.customerId !== customerId || conversation.deletedAt !== null) {
      return err({ code: 'CONVERSATION_NOT_FOUND' });
    }
    return ok(conversation);
  }

  /** A message of it that is not deleted. */
  findMessage(customerId: string, messageId: string): Result<Message, Refusal> {
    const found = this.find(customerId);
    if (!found.ok) return found;
    const message = this.stored.message(messageId);
    if (!message || message.deletedAt !== null) return err({ code: 'CONVERSATION_MESSAGE_NOT_FOUND' });
    return ok(message);
  }

  /** The events after a sequence, at most `limit`, with their messages' content as it is now. */
  eventsAfter(sequence: number, limit: number): ConversationEvent[] {
    return this.log
      .after(sequence, limit)
      .map((row) => fromLogRow(row, row.messageId === null ? null : this.stored.message(row.messageId)));
  }

  /** The sends under way, with their messages. */
  underWay(): UnderWay[] {
    return this.sends.flatMap((send) => {
      const message = this.stored.message(send.messageId);
      return message ? [{ send, message }] : [];
    });
  }

  /** The timestamp of the commit that is being decided. */
  now(): Micros {
    return nextMicros(this.record?.lastAt ?? 0, Date.now());
  }

  /**
   * Stores the decision and what follows from it: sends that the change forbids fail or get no further attempt, turns that it ends are
   * gone. All or nothing. @throws only on a bug or a broken disk.
   */
  commit(decision: Decision): void {
    try {
      this.#storage.transactionSync(() => this.#write(decision));
    } catch (error) {
      this.#store.forget();
      throw error;
    }
  }

  /** The end of a conversation that is erased as a whole. */
  bury(tombstone: Tombstone): void {
    this.#store.bury(tombstone);
  }

  /** Nothing finds an expired key any more, so this changes nothing. */
  dropExpiredKeys(now: Millis): void {
    this.#store.keys.dropExpired(now);
  }

  #write(decision: Decision): void {
    this.#store.prepare();
    const { events = [], at = this.now() } = decision;
    if (events.length > 0 || decision.record) this.#writeRecord(events, at, decision);
    this.#writeRows(decision);
  }

  /** The log, and the record as the events leave it. */
  #writeRecord(events: NewConversationEvent[], at: Micros, decision: Decision): void {
    const before = this.#store.record();
    const present = before?.conversation ?? null;
    const placed = this.#append(events, present, at);
    const changed = placed.reduce<ConversationState | null>(applyEvent, present);
    const withdrawn = before && changed ? this.#withdraw(before, changed, authorOf(placed), at) : [];
    const after = decision.scrubbed?.conversation ?? withdrawn.reduce<ConversationState | null>(applyEvent, changed);
    if (after) this.#store.saveRecord(recordAfter(before, after, placed, at, decision));
  }

  /** After the events, so that what is decided of a send counts more than what follows from the events. */
  #writeRows(decision: Decision): void {
    const { messages = [], saveSends = [], dropSends = [], keys = [], fallbackOptions = {} } = decision;
    decision.scrubbed?.rows.forEach((row) => this.#log.replace(row));
    messages.forEach((message) => this.#store.saveMessage(message));
    saveSends.forEach((send) => this.#store.saveSend(send));
    dropSends.forEach((deliveryId) => this.#store.dropSend(deliveryId));
    keys.forEach((key) => this.#store.keys.save(key));
    Object.entries(fallbackOptions).forEach(([id, options]) => this.#store.saveFallbackOptions(id, options));
    if (decision.unfinishedErasure !== undefined) this.#store.saveUnfinishedErasure(decision.unfinishedErasure);
  }

  #append(events: NewConversationEvent[], state: ConversationState | null, at: Micros): ConversationEvent[] {
    const placed = sequenceEvents(events, state?.sequence ?? 0, at);
    placed.forEach((event) => this.#appendOne(event));
    return placed;
  }

  #appendOne(event: ConversationEvent): void {
    this.#log.append(toLogRow(event));
    if (!isMessageEvent(event)) {
      if (event.change) this.#store.saveChange(event.change, event.sequence, event.at);
      return;
    }
    const { message, fallbackOptions = {} } = event;
    this.#store.saveMessage(message);
    const isNew = ({ id }: Delivery) => event.type === 'message.created' || fallbackOptions[id] !== undefined;
    for (const { id, accountId, target: lane, status } of message.deliveries.filter(isNew)) {
      const [messageId, position] = [message.id, message.sequence];
      this.#store.saveDelivery(id, messageId);
      if (status === 'queued') this.#store.saveSend(newSend({ deliveryId: id, messageId, accountId, lane, position }));
    }
    for (const [id, options] of Object.entries(fallbackOptions))
      if (options.length > 0) this.#store.saveFallbackOptions(id, options);
  }

  /** Sends under way that the change forbids: they fail, or their attempt is the last one (fencing.ts). */
  #withdraw(before: ConversationRecord, after: ConversationState, by: Actor | null, at: Micros): ConversationEvent[] {
    if (!maySendLess(before.conversation, after)) return [];
    const { failed, lastTry, refenced, events } = withdrawSends(after, by, this.underWay(), at);
    refenced.forEach(({ message }) => this.#store.saveMessage(message));
    lastTry.forEach(({ send }) => this.#store.saveSend(send));
    failed.forEach(({ send }) => this.#store.dropSend(send.deliveryId));
    const waiting = before.pending.pendingFallbacks.flatMap(({ messageId }) => this.stored.message(messageId) ?? []);
    refencedOf(after, by, waiting).forEach((message) => this.#store.saveMessage(message));
    return this.#append(events, after, at);
  }
}

/** Who changed the mode. */
const authorOf = (placed: ConversationEvent[]): Actor | null =>
  placed.flatMap((event) => ('change' in event && event.change?.mode ? [event.change.actor] : [])).at(-1) ?? null;

function recordAfter(
  before: ConversationRecord | null,
  conversation: ConversationState,
  placed: ConversationEvent[],
  at: Micros,
  { record: parts = {}, answeredBy }: Decision,
): ConversationRecord {
  const record = { ...(before ?? firstRecord(conversation, at, parts.settings)), ...parts };
  const pending = pendingAfter(record.pending, conversation, placed, answeredBy);
  return { ...record, conversation, pending, lastAt: at };
}

/** What the events begin is under way from now on, and what they end no longer is. */
function pendingAfter(
  before: Pending,
  state: ConversationState,
  placed: ConversationEvent[],
  answeredBy: Automation | undefined,
): Pending {
  const now = Date.now();
  const created = placed.flatMap((event) => (event.type === 'message.created' ? [event.message] : []));
  const started = answeredBy
    ? created.reduce((pending, message) => startAutomation(pending, state, message, answeredBy, now), before)
    : before;
  const files = withFileTasks(started.files, placed, now);
  const pendingFallbacks = [...started.pendingFallbacks, ...pendingFallbacksIn(placed, now)];
  return keepAllowed({ ...started, files, pendingFallbacks }, state);
}

function firstRecord(conversation: ConversationState, at: Micros, settings: Settings | undefined): ConversationRecord {
  if (!settings) throw new Error('the first decision about a conversation must bring its settings');
  return {
    conversation,
    settings,
    lastAt: at,
    historyCursor: 0,
    announcedUntil: 0,
    replyToken: null,
    consents: {},
    watermarks: {},
    pending: NOTHING_PENDING,
  };
}
