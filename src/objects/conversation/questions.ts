import { DurableObject } from 'cloudflare:workers';
import * as files from './files.ts';
import { knewKey } from './receive.ts';
import { ConversationAggregate } from './aggregate.ts';
import { earlierAnswer } from './send.ts';
import { listChanges, listTimeline, type TimelineEntry } from './timeline.ts';
import * as turns from './turns.ts';
import * as visitors from './visitors.ts';
import { ConversationStore, type ChangeKind } from './store.ts';
import { LogStore } from '../runtime/log-store.ts';
import {
  chooseChannels,
  type Choice,
  type Recipient,
  type Wish,
} from '../../domain/conversation/delivery/channel-choice.ts';
import type { IdempotencyClaim } from '../../domain/conversation/commands.ts';
import { isOver } from '../../domain/conversation/lifecycle.ts';
import { findBinding } from '../../domain/conversation/identity/bindings.ts';
import type { ConversationState, Message } from '../../domain/conversation/state.ts';
import type { ServiceWindow } from '../../domain/conversation/delivery/service-window.ts';
import type { Refusal } from '../../domain/errors.ts';
import { ok, type Result } from '../../domain/result.ts';
import type { Micros } from '../../domain/time.ts';

/** What may be asked of a conversation's object. Nothing here changes anything. */
export class ConversationQuestions extends DurableObject<Env> {
  protected readonly aggregate: ConversationAggregate;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.aggregate = new ConversationAggregate(
      ctx.storage,
      new ConversationStore(ctx.storage),
      new LogStore(ctx.storage.sql),
    );
  }

  /** Whether this provider id came in here; asked by a successor, so that a late redelivery does not start it anew. */
  knows(providerKey: string): Promise<boolean> {
    return knewKey(this.aggregate, providerKey);
  }

  /** What is left of the contact's time for free text by one of its ways; asked for its next conversation. */
  windowBy(addressName: string): ServiceWindow | null {
    const state = this.state();
    return (state && findBinding(state, addressName)?.window) ?? null;
  }

  /** What a request under this key was answered, also in a conversation that is over; null: nothing yet. */
  answered(customerId: string, claim: IdempotencyClaim): Result<Message, Refusal> | null {
    return earlierAnswer(this.aggregate, { customerId, messageId: '', idempotency: claim });
  }

  /** How a message would go now (dry run). */
  choose(customerId: string, recipients: Recipient[], wish: Wish): Result<Choice[], Refusal> {
    const found = this.aggregate.find(customerId);
    if (!found.ok) return found;
    return ok(chooseChannels(found.value, recipients, wish, this.aggregate.now()).map(({ choice }) => choice));
  }

  /** Over for good: closed or deleted. What never began is not. */
  isOver(): boolean {
    const state = this.state();
    return state === null ? this.aggregate.isErased() : isOver(state);
  }

  /** Where its contact's messages go on; null while they come here. */
  mergedInto(): string | null {
    return this.state()?.mergedInto ?? null;
  }

  read(customerId: string): Result<ConversationState, Refusal> {
    return this.aggregate.find(customerId);
  }

  readMessage(customerId: string, messageId: string): Result<Message, Refusal> {
    return this.aggregate.findMessage(customerId, messageId);
  }

  /** Newest first: what a visitor with these addresses may see that is older than a time (null: all), at most `limit`. */
  visibleMessages(customerId: string, addresses: string[], before: Micros | null, limit: number) {
    return visitors.visibleMessages(this.aggregate, customerId, addresses, before, limit);
  }

  /** One of them, also one that was deleted. */
  visibleMessage(customerId: string, addresses: string[], messageId: string): Result<Message, Refusal> {
    return visitors.visibleMessage(this.aggregate, customerId, addresses, messageId);
  }

  /** Newest first, those created before `before` (null: all), at most `limit`. */
  listMessages(customerId: string, before: Micros | null, limit: number): Result<Message[], Refusal> {
    return this.#of(customerId, () => this.aggregate.store.messagesBefore(before, limit));
  }

  /** Who changed the mode, or the owner, and when: newest first, those before `before` (null: all), at most `limit`. */
  listChanges(customerId: string, kind: ChangeKind, before: Micros | null, limit: number) {
    return this.#of(customerId, () => listChanges(this.aggregate, kind, before, limit));
  }

  /** Messages and changes together, newest first, those before a sequence, at most `limit`. */
  listTimeline(customerId: string, before: number, limit: number): Result<TimelineEntry[], Refusal> {
    return this.#of(customerId, () => listTimeline(this.aggregate, before, limit));
  }

  isTurnOpen(turnId: string): boolean {
    return turns.isOpen(this.aggregate, turnId);
  }

  /** For the queue's consumer that copies a contact's files. */
  fileOrder(messageId: string): files.FileOrder | null {
    return files.fileOrder(this.aggregate, messageId);
  }

  #of<T>(customerId: string, read: () => T): Result<T, Refusal> {
    const found = this.aggregate.find(customerId);
    return found.ok ? ok(read()) : found;
  }

  protected state(): ConversationState | null {
    return this.aggregate.store.record()?.conversation ?? null;
  }
}
