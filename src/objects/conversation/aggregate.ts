import { readTombstone } from './erase.ts';
import { applyEvent, place } from '../../domain/conversation/apply.ts';
import { keepAllowed, NOTHING_PENDING, type Pending } from '../../domain/conversation/automation/automation.ts';
import type { ChangeReason } from '../../domain/conversation/change.ts';
import type { Consent } from '../../domain/conversation/consent.ts';
import { decideHandover } from '../../domain/conversation/decide-change.ts';
import { pendingFallbacksIn } from '../../domain/conversation/delivery/fallback.ts';
import { withFileTasks } from '../../domain/conversation/files.ts';
import {
  withdrawSends,
  maySendLess,
  refencedOf,
  type UnderWay,
  type WithdrawnSends,
} from '../../domain/conversation/automation/fencing.ts';
import { newSend } from '../../domain/conversation/delivery/sends.ts';
import type { ConversationState, Delivery, Message, Settings } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import { isMessageEvent, type ConversationEvent, type NewConversationEvent } from '../../domain/conversation/events.ts';
import { toLogRow } from '../../domain/conversation/log-row.ts';
import type { Actor } from '../../domain/permissions.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { nextMicros, type Micros } from '../../domain/time.ts';
import type { ConversationRecord, ConversationStore } from './store.ts';
import type { LogStore } from '../runtime/log-store.ts';

/** Parts of the record that a commit changes beside the log. `pending` is told what the events have become. */
type RecordParts = Partial<Pick<ConversationRecord, 'settings' | 'replyToken' | 'consents' | 'horizons'>> & {
  pending?: (pending: Pending, after: ConversationState, placed: ConversationEvent[]) => Pending;
};

/** The same, and rows that belong to the same transaction. */
export type CommitExtras = RecordParts & { rows?: () => void };

/** One conversation's stored state and the only way to change it. Everything here is synchronous: no await can come between. */
export class ConversationAggregate {
  readonly storage: DurableObjectStorage;
  readonly store: ConversationStore;
  readonly log: LogStore;

  constructor(storage: DurableObjectStorage, store: ConversationStore, log: LogStore) {
    this.storage = storage;
    this.store = store;
    this.log = log;
  }

  /** Erased for good: nothing begins here again. */
  isErased(): boolean {
    return this.store.record() === null && readTombstone(this.storage) !== null;
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

  /**
   * Log, state, messages, sends and `rows`, all or nothing; with them what follows from the change: sends that it forbids fail, turns
   * that it ends are gone. @throws only on a bug or a broken disk, leaving nothing behind.
   */
  commit(events: NewConversationEvent[], at: Micros, extras: CommitExtras = {}): void {
    this.storage.transactionSync(() => {
      this.store.prepare();
      const before = this.store.record();
      const placed = this.#append(events, before?.conversation ?? null, at);
      const changed = placed.reduce<ConversationState | null>(applyEvent, before?.conversation ?? null);
      const withdrawn = before && changed ? this.#withdraw(before.conversation, changed, authorOf(placed), at) : [];
      const after = withdrawn.reduce<ConversationState | null>(applyEvent, changed);
      const { rows, ...parts } = extras;
      if (after && (placed.length > 0 || Object.keys(parts).length > 0)) {
        this.store.saveRecord(recordOf(before, after, placed, at, parts));
      }
      rows?.();
    });
  }

  /** A step of automation that is no event: nobody outside sees it. */
  savePending(pending: Pending): void {
    const record = this.store.record();
    if (record) this.store.saveRecord({ ...record, pending });
  }

  handToPeople(actor: Actor, reason: ChangeReason): void {
    const state = this.store.record()?.conversation;
    const at = this.now();
    if (state) this.commit(decideHandover(state, { actor, reason }, at), at);
  }

  dropFlowStart(activeflowId: string): void {
    const pending = this.store.record()?.pending;
    if (!pending) return;
    const flowStarts = pending.flowStarts.filter((start) => start.activeflowId !== activeflowId);
    this.savePending({ ...pending, flowStarts });
  }

  /** Unless the contact has changed its mind while we told. */
  markConsentTold(addressName: string, told: Consent): void {
    const record = this.store.record();
    const known = record?.consents[addressName];
    if (!record || known?.untold?.at !== told.at) return;
    this.store.saveRecord({ ...record, consents: { ...record.consents, [addressName]: { ...known, untold: null } } });
  }

  #append(events: NewConversationEvent[], state: ConversationState | null, at: Micros): ConversationEvent[] {
    const placed = place(events, state?.sequence ?? 0, at);
    placed.forEach((event) => this.#appendOne(event));
    return placed;
  }

  /** What is under way and may not be any more: it fails, or its attempt is the last one (fencing.ts). */
  #withdraw(before: ConversationState, after: ConversationState, by: Actor | null, at: Micros): ConversationEvent[] {
    if (!maySendLess(before, after)) return [];
    const withdrawnSends = withdrawSends(after, by, this.underWay(), at);
    this.saveWithdrawn(withdrawnSends);
    refencedOf(after, by, this.#unseen()).forEach((message) => this.store.saveMessage(message));
    return this.#append(withdrawnSends.events, after, at);
  }

  #unseen(): Message[] {
    const unseen = this.store.record()?.pending.unseen ?? [];
    return unseen.flatMap(({ messageId }) => this.store.message(messageId) ?? []);
  }

  /** Inside a commit, which also takes the verdict's events. */
  saveWithdrawn({ failed, lastTry, refenced }: WithdrawnSends): void {
    refenced.forEach(({ message }) => this.store.saveMessage(message));
    lastTry.forEach(({ send }) => this.store.saveSend(send));
    failed.forEach(({ send }) => this.store.dropSend(send.deliveryId));
  }

  /** The sends that nobody has reported the end of, with their messages. */
  underWay(): UnderWay[] {
    return this.store.sends().flatMap((send) => {
      const message = this.store.message(send.messageId);
      return message ? [{ send, message }] : [];
    });
  }

  #appendOne(event: ConversationEvent): void {
    this.log.append(toLogRow(event));
    if (!isMessageEvent(event)) {
      if (event.change) this.store.saveChange(event.change, event.sequence, event.at);
      return;
    }
    this.store.saveMessage(event.message);
    const isNew = ({ id }: Delivery) => event.type === 'message.created' || event.fallbackOptions?.[id] !== undefined;
    this.#saveDeliveries(event.message, event.message.deliveries.filter(isNew));
    Object.entries(event.fallbackOptions ?? {}).forEach(([id, options]) => this.store.saveFallbackOptions(id, options));
  }

  #saveDeliveries({ id: messageId, sequence: position }: Message, deliveries: Delivery[]): void {
    for (const { id: deliveryId, accountId, target: lane, status } of deliveries) {
      this.store.saveDelivery(deliveryId, messageId);
      if (status === 'queued') this.store.saveSend(newSend({ deliveryId, messageId, accountId, lane, position }));
    }
  }
}

function recordOf(
  before: ConversationRecord | null,
  conversation: ConversationState,
  placed: ConversationEvent[],
  at: Micros,
  { pending, ...parts }: RecordParts,
): ConversationRecord {
  const record = { ...(before ?? firstRecord(conversation, at, parts.settings)), ...parts };
  const started = pending ? pending(record.pending, conversation, placed) : record.pending;
  const files = withFileTasks(started.files, placed, Date.now());
  const unseen = [...started.unseen, ...pendingFallbacksIn(placed, Date.now())];
  return { ...record, conversation, lastAt: at, pending: keepAllowed({ ...started, files, unseen }, conversation) };
}

/** Who changed the mode. */
const authorOf = (placed: ConversationEvent[]): Actor | null =>
  placed.flatMap((event) => ('change' in event && event.change?.mode ? [event.change.actor] : [])).at(-1) ?? null;

function firstRecord(conversation: ConversationState, at: Micros, settings: Settings | undefined): ConversationRecord {
  if (!settings) throw new Error('the first commit of a conversation brings its settings');
  return {
    conversation,
    settings,
    lastAt: at,
    historyCursor: 0,
    replyToken: null,
    consents: {},
    horizons: {},
    pending: NOTHING_PENDING,
  };
}
