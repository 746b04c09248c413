import { AlarmClock } from '../runtime/alarm.ts';
import * as commands from './commands.ts';
import { claimSend, commitStep, runPendingFallbacks, receipt, reportSend, type SendOrder } from './deliver.ts';
import { endErasure, erase, type Erased } from './erase.ts';
import { Drains } from './drains.ts';
import { InFlight } from './in-flight.ts';
import * as files from './files.ts';
import { ConversationPeople } from './with-people.ts';
import { ConversationLive } from './live.ts';
import { receive, redelivered, type Received } from './receive.ts';
import { send } from './send.ts';
import * as turns from './turns.ts';
import type { DeliveryNews, ReceiveCommand, SendCommand, UpdateCommand } from '../../domain/conversation/commands.ts';
import type { Consent } from '../../domain/conversation/consent.ts';
import type { TurnReport } from '../../domain/conversation/automation/decide-turn.ts';
import { decideLifecycle, nextLifecycleAt } from '../../domain/conversation/lifecycle.ts';
import type { ContactAddress } from '../../domain/conversation/identity/participants.ts';
import type { SendOutcome, SendPolicy } from '../../domain/conversation/delivery/sends.ts';
import type { ConversationState, Message } from '../../domain/conversation/state.ts';
import type { TurnClaim } from '../../domain/conversation/automation/turns.ts';
import type { Refusal } from '../../domain/errors.ts';
import type { Actor } from '../../domain/permissions.ts';
import { ok, type Result } from '../../domain/result.ts';
import type { Millis } from '../../domain/time.ts';
import { errorName, log } from '../../log.ts';

const AFTER_FAILURE_MS = 60_000;

/**
 * One conversation: the truth about it, its order, its sends and its assistants' turns. Every public method is an RPC command or
 * question; commands are safe to repeat. Decisions are made in domain/, committed by ConversationAggregate, and followed by `#settle`.
 */
export class ConversationObject extends ConversationPeople {
  readonly #alarm: AlarmClock;
  readonly #live: ConversationLive;
  readonly #drains: Drains;
  readonly #inFlight: InFlight;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#alarm = new AlarmClock(ctx);
    this.#inFlight = new InFlight(this.aggregate);
    this.#drains = new Drains(ctx, env, this.aggregate, {
      rearm: () => this.#rearm(),
      committed: () => ctx.waitUntil(this.#settle()),
    });
    this.#live = new ConversationLive(ctx, env, this.aggregate, {
      rearm: () => this.#rearm(),
      committed: () => ctx.waitUntil(this.#settle()),
    });
    void ctx.blockConcurrencyWhile(async () => {
      await this.#alarm.load();
      this.#live.sessions.wake();
      this.#drains.feed.wake();
      this.#rearm();
    });
  }

  /** An inbound item, once. Refuses with CONVERSATION_CLOSED when the conversation is over and the next one must take it. */
  async receive(command: ReceiveCommand): Promise<Result<Received, Refusal>> {
    const erased = await redelivered(this.aggregate, command);
    if (erased) return ok(erased);
    const received = receive(this.aggregate, command);
    const settled = this.settled(received);
    await this.#drains.consentTold();
    return settled;
  }

  send(command: SendCommand): Promise<Result<Message, Refusal>> {
    return this.settled(send(this.aggregate, command));
  }

  /** A takeover by it is acknowledged when nothing that it forbids is under way any more. */
  update(command: UpdateCommand): Promise<Result<commands.Changed, Refusal>> {
    return this.settled(commands.updateConversation(this.aggregate, command));
  }

  /** The same by a flow's action, once over all its repeats. @returns the mode epoch that it left. */
  updateByFlow(command: UpdateCommand, step: commands.FlowStep): Promise<Result<number, Refusal>> {
    return this.settled(commands.updateByFlow(this.aggregate, command, step));
  }

  /** `asOwner`: the agent that gives its conversation back; null for a manager. PERMISSION_DENIED when it is not the owner. */
  unassign(customerId: string, actor: Actor, asOwner: string | null): Promise<Result<commands.Changed, Refusal>> {
    return this.settled(commands.unassignConversation(this.aggregate, customerId, actor, asOwner));
  }

  /** Soft: the row stays with its time of deletion, and nothing finds it any more. */
  remove(customerId: string): Promise<Result<ConversationState, Refusal>> {
    return this.settled(commands.deleteConversation(this.aggregate, customerId));
  }

  removeMessage(customerId: string, messageId: string): Promise<Result<Message, Refusal>> {
    return this.settled(commands.deleteMessage(this.aggregate, customerId, messageId));
  }

  /** What another conversation with this contact has heard of its consent. */
  learnConsent(customerId: string, addressName: string, consent: Consent): Promise<Result<commands.Changed, Refusal>> {
    return this.settled(commands.learnConsent(this.aggregate, customerId, addressName, consent));
  }

  /** The queue's consumer takes one attempt; null: not its turn. */
  claim(deliveryId: string, attempt: number, policy: SendPolicy): SendOrder | null {
    const order = claimSend(this.aggregate, deliveryId, attempt, policy);
    this.#rearm();
    return order;
  }

  async report(deliveryId: string, attempt: number, outcome: SendOutcome): Promise<void> {
    reportSend(this.aggregate, deliveryId, attempt, outcome);
    this.#inFlight.reported();
    await this.#settle();
  }

  /** A provider's status callback. False when this conversation has no such delivery of that customer. */
  async receipt(customerId: string, deliveryId: string, news: DeliveryNews): Promise<boolean> {
    if (this.state()?.customerId !== customerId) return false;
    const known = receipt(this.aggregate, deliveryId, news);
    this.#inFlight.reported();
    await this.#settle();
    return known;
  }

  /** The queue's consumer takes an assistant's turn; null: it is over, or not this attempt's. */
  claimTurn(turnId: string, claim: TurnClaim & { history: number }): turns.TurnOrder | null {
    const order = turns.claim(this.aggregate, turnId, claim);
    this.#rearm();
    return order;
  }

  /** How the attempt ended. MODE_CHANGED: people took over meanwhile, and nothing of it is said. */
  reportTurn(report: TurnReport): Promise<Result<null, Refusal>> {
    return this.settled(turns.report(this.aggregate, report));
  }

  /** A flow has an assistant answer. @returns whether to wait for it: false when the assistant has answered already. */
  requestTurn(customerId: string, wanted: turns.RequestedTurn): Promise<Result<boolean, Refusal>> {
    return this.settled(turns.request(this.aggregate, customerId, wanted));
  }

  filesDone(messageId: string, wasDeleted: boolean): void {
    files.filesDone(this.aggregate, messageId, wasDeleted);
    this.#rearm();
  }

  /** From the answer on, nothing of that activeflow is accepted here. */
  stopActiveflow(customerId: string, activeflowId: string): Promise<Result<null, Refusal>> {
    return this.settled(commands.stopActiveflow(this.aggregate, customerId, activeflowId));
  }

  /**
   * Takes a contact out of it for good: as a whole where nobody else is in it. @returns what went, and again the same when it is repeated;
   * null where it is not this customer's.
   */
  async erase(customerId: string, contactIds: string[], addresses: ContactAddress[] = []): Promise<Erased | null> {
    await this.#drains.historySettled();
    const announced = this.#drains.history.place();
    const erased = erase(this.ctx, this.aggregate, { customerId, contactIds, addresses, announced });
    // What went to D1 just before has got there when it is dropped there.
    await this.#drains.historySettled();
    return erased;
  }

  /** D1 gets all of it as it is since an erasure, and nobody is told anew. @throws where it does not take it now. */
  async rebuild(): Promise<void> {
    await this.#drains.historyAgain();
    endErasure(this.aggregate);
  }

  /** The cron's hand on the shoulder: does what the alarm would have done, should that have been lost. */
  async backstop(): Promise<void> {
    await this.#catchUp();
  }

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

  override async alarm(): Promise<void> {
    this.#alarm.fired();
    await this.#catchUp();
  }

  /** Everything that time brings. Never throws: the platform gives an alarm up after six failures. */
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
    const record = this.aggregate.store.record();
    if (!record) return;
    this.#drains.sends.expired(now).forEach(({ send: expired, step }) => commitStep(this.aggregate, expired, step));
    turns.expireTurns(this.aggregate, now);
    runPendingFallbacks(this.aggregate, now);
    this.#inFlight.reported();
    this.#live.sessions.dropStalled(now);
    this.aggregate.store.keys.dropExpired(now);
    this.#drains.history.saveCursor();
    const at = this.aggregate.now();
    const state = this.state();
    const events = state ? decideLifecycle(state, record.settings, now, at) : [];
    if (events.length > 0) this.aggregate.commit(events, at);
  }

  /** A command's answer, when what follows from it is under way and what it forbids is over. */
  protected async settled<T>(result: T): Promise<T> {
    await this.#settle();
    await this.#inFlight.settled();
    return result;
  }

  /** After every commit: readers first, then the drains. */
  async #settle(): Promise<void> {
    this.#live.sessions.broadcast();
    this.#rearm();
    await this.#drains.start();
  }

  /** Sets the alarm to the next thing that is due. */
  #rearm(): void {
    const record = this.aggregate.store.record();
    if (!record) return;
    this.#alarm.wakeBy([
      ...this.#drains.dueTimes(Date.now()),
      nextLifecycleAt(record.conversation, record.settings),
      this.#live.sessions.nextStallAt(),
    ]);
  }
}
