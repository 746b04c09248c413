import { DurableObject } from 'cloudflare:workers';
import { ConversationAggregate } from './aggregate.ts';
import * as automation from './automation.ts';
import * as commands from './commands.ts';
import { Drains } from './drains.ts';
import { endErasure, erase, type Erased } from './erase.ts';
import * as files from './files.ts';
import { ConversationLive } from './live.ts';
import * as questions from './questions.ts';
import { hasReceived, receive, redelivered, type Received } from './receive.ts';
import * as sending from './send.ts';
import type { ChangeKind } from './store.ts';
import { CLOSE_UNAUTHORIZED } from '../live/protocol.ts';
import { close } from '../live/socket.ts';
import { AlarmClock } from '../runtime/alarm.ts';
import type { TurnReport } from '../../domain/conversation/automation/decide-turn.ts';
import { isTurnOpen } from '../../domain/conversation/automation/decide-turn.ts';
import type { TurnClaim } from '../../domain/conversation/automation/turns.ts';
import type {
  DeliveryNews,
  IdempotencyClaim,
  ReceiveCommand,
  SendCommand,
  UpdateCommand,
  Recipient,
} from '../../domain/conversation/commands.ts';
import type { Consent } from '../../domain/conversation/consent.ts';
import { chooseChannels, type Wish } from '../../domain/conversation/delivery/channel-choice.ts';
import type {
  Choice,
  ConversationState,
  Message,
  ContactAddress,
  NewParticipant,
} from '../../domain/conversation/state.ts';
import type { SendOutcome, SendPolicy } from '../../domain/conversation/delivery/sends.ts';
import type { ServiceWindow } from '../../domain/conversation/delivery/service-window.ts';
import { findBinding } from '../../domain/conversation/identity/bindings.ts';

import { decideLifecycle, isOver, nextLifecycleAt } from '../../domain/conversation/decide-change.ts';
import type { Refusal } from '../../domain/errors.ts';
import type { Actor } from '../../domain/permissions.ts';
import { ok, type Result } from '../../domain/result.ts';
import type { Micros, Millis } from '../../domain/time.ts';
import { errorName, log } from '../../log.ts';

const AFTER_FAILURE_MS = 60_000;

/**
 * One conversation: the truth about it, its order, its sends and its assistants' turns. Every public method is an RPC command or
 * question; commands are safe to repeat. A command loads, decides and commits without an await (receive.ts, send.ts, commands.ts, …;
 * rules are in domain/), and `#settle` starts what follows from the commit.
 */
export class ConversationObject extends DurableObject<Env> {
  readonly #aggregate: ConversationAggregate;
  readonly #alarm: AlarmClock;
  readonly #live: ConversationLive;
  readonly #drains: Drains;
  readonly #attempts: sending.AttemptsUnderWay;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#aggregate = new ConversationAggregate(ctx.storage);
    this.#alarm = new AlarmClock(ctx);
    this.#attempts = new sending.AttemptsUnderWay(this.#aggregate);
    const host = { rearm: () => this.#rearm(), committed: () => ctx.waitUntil(this.#settle()) };
    this.#drains = new Drains(ctx, env, this.#aggregate, host);
    this.#live = new ConversationLive(ctx, env, this.#aggregate, host);
    void ctx.blockConcurrencyWhile(async () => {
      await this.#alarm.load();
      this.#live.sessions.wake();
      this.#drains.feed.wake();
      this.#rearm();
    });
  }

  // Messages in and out

  /** Receives an inbound item, once. Refuses with CONVERSATION_CLOSED when the conversation is over and the next one must take it. */
  async receive(command: ReceiveCommand): Promise<Result<Received, Refusal>> {
    const known = await redelivered(this.#aggregate, command);
    if (known) return ok(known);
    const received = this.#acknowledge(receive(this.#aggregate, command));
    await this.#drains.consentPublished();
    return received;
  }

  send(command: SendCommand): Promise<Result<Message, Refusal>> {
    return this.#acknowledge(sending.send(this.#aggregate, command));
  }

  removeMessage(customerId: string, messageId: string): Promise<Result<Message, Refusal>> {
    return this.#acknowledge(commands.deleteMessage(this.#aggregate, customerId, messageId));
  }

  /** The queue's consumer claims one attempt; null: not its turn. */
  claim(deliveryId: string, attempt: number, policy: SendPolicy): sending.SendOrder | null {
    const order = sending.claimSend(this.#aggregate, deliveryId, attempt, policy);
    this.#rearm();
    return order;
  }

  async report(deliveryId: string, attempt: number, outcome: SendOutcome): Promise<void> {
    sending.reportSend(this.#aggregate, deliveryId, attempt, outcome);
    this.#attempts.ended();
    await this.#settle();
  }

  /** A provider's status callback. False when this conversation has no such delivery of that customer. */
  async receipt(customerId: string, deliveryId: string, news: DeliveryNews): Promise<boolean> {
    if (this.#aggregate.conversation?.customerId !== customerId) return false;
    const known = sending.receipt(this.#aggregate, deliveryId, news);
    this.#attempts.ended();
    await this.#settle();
    return known;
  }

  filesDone(messageId: string, wasDeleted: boolean): void {
    files.filesDone(this.#aggregate, messageId, wasDeleted);
    this.#rearm();
  }

  // The conversation itself

  /** A takeover by it is acknowledged when nothing that it forbids is under way any more. */
  update(command: UpdateCommand): Promise<Result<commands.Changed, Refusal>> {
    return this.#acknowledge(commands.updateConversation(this.#aggregate, command));
  }

  /** The same by a flow's action, once over all its repeats. @returns the mode epoch that it left. */
  updateByFlow(command: UpdateCommand, step: commands.FlowStep): Promise<Result<number, Refusal>> {
    return this.#acknowledge(commands.updateByFlow(this.#aggregate, command, step));
  }

  /** `asOwner`: the agent that gives its conversation back; null for a manager. PERMISSION_DENIED when it is not the owner. */
  unassign(customerId: string, actor: Actor, asOwner: string | null): Promise<Result<commands.Changed, Refusal>> {
    return this.#acknowledge(commands.unassignConversation(this.#aggregate, customerId, actor, asOwner));
  }

  /** Soft: the row stays with its time of deletion, and nothing finds it any more. */
  remove(customerId: string): Promise<Result<ConversationState, Refusal>> {
    return this.#acknowledge(commands.deleteConversation(this.#aggregate, customerId));
  }

  /** What the contact has said of its consent in another conversation. */
  learnConsent(customerId: string, addressName: string, consent: Consent): Promise<Result<commands.Changed, Refusal>> {
    return this.#acknowledge(commands.learnConsent(this.#aggregate, customerId, addressName, consent));
  }

  // Its people

  openWith(command: commands.OpenCommand): Promise<Result<ConversationState, Refusal>> {
    return this.#acknowledge(commands.openWith(this.#aggregate, command));
  }

  addParticipant(customerId: string, person: NewParticipant): Promise<Result<ConversationState, Refusal>> {
    return this.#acknowledge(commands.addParticipant(this.#aggregate, customerId, person));
  }

  /** @returns the conversation as it was before. */
  removeParticipant(customerId: string, participantId: string): Promise<Result<ConversationState, Refusal>> {
    return this.#acknowledge(commands.removeParticipant(this.#aggregate, customerId, participantId));
  }

  /** Mergers, their undoing, and addresses that go elsewhere. @returns the conversation afterwards. */
  changeMembership(customerId: string, wanted: commands.MembershipChange): Promise<Result<ConversationState, Refusal>> {
    return this.#acknowledge(commands.changeMembership(this.#aggregate, customerId, wanted));
  }

  /**
   * Erases a contact from it: as a whole where nobody else is in it. Idempotent. @returns what is gone; null where the conversation is
   * not this customer's.
   */
  async erase(customerId: string, contactIds: string[], addresses: ContactAddress[] = []): Promise<Erased | null> {
    await this.#drains.drainHistory();
    const announcedUntil = this.#drains.history.cursor();
    const erased = erase(this.#aggregate, { customerId, contactIds, addresses, announcedUntil });
    if (erased?.isWhole)
      this.ctx.getWebSockets().forEach((socket) => close(socket, CLOSE_UNAUTHORIZED, 'the conversation was erased'));
    // A batch that was on its way to D1 must arrive before the caller deletes what D1 has.
    await this.#drains.drainHistory();
    return erased;
  }

  /** D1 gets all of it as an erasure left it, and no webhook hears of it again. @throws when D1 does not take it now. */
  async rebuild(): Promise<void> {
    await this.#drains.rebuildHistory();
    endErasure(this.#aggregate);
  }

  // Automation

  /** The queue's consumer claims an assistant's turn; null: it is over, or not this attempt's. */
  claimTurn(turnId: string, claim: TurnClaim & { history: number }): automation.TurnOrder | null {
    const order = automation.claimTurnOrder(this.#aggregate, turnId, claim);
    this.#rearm();
    return order;
  }

  /** How the attempt ended. MODE_CHANGED: people took over in the meantime, and nothing of it is said. */
  reportTurn(report: TurnReport): Promise<Result<null, Refusal>> {
    return this.#acknowledge(automation.reportTurn(this.#aggregate, report));
  }

  /** A flow has an assistant answer. @returns whether to wait for it: false when the assistant has answered already. */
  requestTurn(customerId: string, wanted: automation.RequestedTurn): Promise<Result<boolean, Refusal>> {
    return this.#acknowledge(automation.requestAnswer(this.#aggregate, customerId, wanted));
  }

  /** From the answer on, nothing of that activeflow is accepted here. */
  stopActiveflow(customerId: string, activeflowId: string): Promise<Result<null, Refusal>> {
    return this.#acknowledge(automation.stopActiveflow(this.#aggregate, customerId, activeflowId));
  }

  // Questions: nothing below changes anything

  read(customerId: string): Result<ConversationState, Refusal> {
    return this.#aggregate.find(customerId);
  }

  readMessage(customerId: string, messageId: string): Result<Message, Refusal> {
    return this.#aggregate.findMessage(customerId, messageId);
  }

  /** Newest first, those created before `before` (null: all), at most `limit`. */
  listMessages(customerId: string, before: Micros | null, limit: number): Result<Message[], Refusal> {
    return this.#of(customerId, () => this.#aggregate.stored.messagesBefore(before, limit));
  }

  /** The same, of the messages that a visitor with these addresses may see. */
  visibleMessages(customerId: string, addresses: string[], before: Micros | null, limit: number) {
    return this.#of(customerId, () => questions.visibleMessages(this.#aggregate, addresses, before, limit));
  }

  /** One of them, also one that was deleted. */
  visibleMessage(customerId: string, addresses: string[], messageId: string): Result<Message, Refusal> {
    return questions.visibleMessage(this.#aggregate, customerId, addresses, messageId);
  }

  /** Who changed the mode, or the owner, and when: newest first, those before `before` (null: all), at most `limit`. */
  listChanges(customerId: string, kind: ChangeKind, before: Micros | null, limit: number) {
    return this.#of(customerId, () => questions.listChanges(this.#aggregate, kind, before, limit));
  }

  /** Messages and changes together, newest first, those before a sequence, at most `limit`. */
  listTimeline(customerId: string, before: number, limit: number): Result<questions.TimelineEntry[], Refusal> {
    return this.#of(customerId, () => questions.listTimeline(this.#aggregate, before, limit));
  }

  /** What a request under this key was answered, also in a conversation that is over; null: nothing yet. */
  answered(customerId: string, claim: IdempotencyClaim): Result<Message, Refusal> | null {
    return sending.earlierAnswer(this.#aggregate, { customerId, messageId: '', idempotency: claim });
  }

  /** How a message would go now (dry run). */
  choose(customerId: string, recipients: Recipient[], wish: Wish): Result<Choice[], Refusal> {
    const found = this.#aggregate.find(customerId);
    if (!found.ok) return found;
    return ok(chooseChannels(found.value, recipients, wish, this.#aggregate.now()).map(({ choice }) => choice));
  }

  /** Whether this provider id came in here; asked by a successor, so that a late redelivery does not start it anew. */
  knows(providerKey: string): Promise<boolean> {
    return hasReceived(this.#aggregate, providerKey);
  }

  /** What is left of the contact's time for free text on one of its bindings; asked for its next conversation. */
  windowBy(addressName: string): ServiceWindow | null {
    const { conversation } = this.#aggregate;
    return (conversation && findBinding(conversation, addressName)?.window) ?? null;
  }

  /** Over for good: closed or deleted. What never began is not. */
  isOver(): boolean {
    const { conversation } = this.#aggregate;
    return conversation ? isOver(conversation) : this.#aggregate.isErased();
  }

  /** The conversation in which its contact's messages continue; null while they come here. */
  mergedInto(): string | null {
    return this.#aggregate.conversation?.mergedInto ?? null;
  }

  isTurnOpen(turnId: string): boolean {
    const { record } = this.#aggregate;
    return record !== null && isTurnOpen(record.pending, turnId);
  }

  /** For the queue's consumer that copies a contact's files. */
  fileOrder(messageId: string): files.FileOrder | null {
    return files.fileOrder(this.#aggregate, messageId);
  }

  #of<T>(customerId: string, read: () => T): Result<T, Refusal> {
    const found = this.#aggregate.find(customerId);
    return found.ok ? ok(read()) : found;
  }

  // Sockets

  override fetch(request: Request): Response {
    return this.#live.accept(request);
  }

  override async webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    await this.#live.sessions.message(socket, data);
    this.#rearm();
  }

  override webSocketClose(socket: WebSocket): void {
    this.#live.sessions.gone(socket);
  }

  override webSocketError(socket: WebSocket): void {
    this.#live.sessions.gone(socket);
  }

  // Time

  override async alarm(): Promise<void> {
    this.#alarm.fired();
    await this.#catchUp();
  }

  /** Called by the cron for an object whose alarm may have been lost: does what the alarm would have done. */
  async backstop(): Promise<void> {
    await this.#catchUp();
  }

  /** Everything that becomes due with time. Never throws: the platform gives an alarm up after six failures. */
  async #catchUp(): Promise<void> {
    try {
      this.#passTime(Date.now());
      await this.#settle();
      await this.#drains.queue();
    } catch (error) {
      log('error', 'alarm failed', { conversation: this.ctx.id.name ?? '', error: errorName(error) });
      return this.#alarm.wakeBy([Date.now() + AFTER_FAILURE_MS]);
    }
    this.#rearm();
  }

  #passTime(now: Millis): void {
    if (!this.#aggregate.record) return;
    sending.expireSends(this.#aggregate, now);
    automation.expireTurns(this.#aggregate, now);
    sending.runPendingFallbacks(this.#aggregate, now);
    this.#attempts.ended();
    this.#live.sessions.dropStalled(now);
    this.#aggregate.dropExpiredKeys(now);
    this.#drains.history.saveCursor();
    this.#passLifecycle(now);
  }

  #passLifecycle(now: Millis): void {
    const { record } = this.#aggregate;
    const at = this.#aggregate.now();
    const events = record ? decideLifecycle(record.conversation, record.settings, now, at) : [];
    if (events.length > 0) this.#aggregate.commit({ at, events });
  }

  /** A command's result, once what follows from it has been started and what it forbids is over. */
  async #acknowledge<T>(result: T): Promise<T> {
    await this.#settle();
    await this.#attempts.noneForbidden();
    return result;
  }

  /** After every commit: readers first, then the drains. */
  async #settle(): Promise<void> {
    this.#live.sessions.broadcast();
    this.#rearm();
    await this.#drains.start();
  }

  /** Sets the alarm to the next due time. */
  #rearm(): void {
    const { record } = this.#aggregate;
    if (!record) return;
    this.#alarm.wakeBy([
      ...this.#drains.dueTimes(Date.now()),
      nextLifecycleAt(record.conversation, record.settings),
      this.#live.sessions.nextStallAt(),
    ]);
  }
}
