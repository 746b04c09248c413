import { DurableObject } from 'cloudflare:workers';
import { AlarmClock, NET_MS } from './alarm-clock.ts';
import { cancelSends, claimSend, commitStep, receipt, reportSend, type SendOrder } from './conversation/deliver.ts';
import { ConversationFeed } from './conversation/feed.ts';
import { ConversationHistory } from './conversation/history.ts';
import { knowsKey, receive, type Received } from './conversation/receive.ts';
import { Room } from './conversation/room.ts';
import { send } from './conversation/send.ts';
import { FeedSink } from './feed-sink.ts';
import { HistorySink } from './history-sink.ts';
import { SendSink } from './send-sink.ts';
import { errorFrame, SESSION_HEADER, sessionRequestSchema, type Reader } from './session-protocol.ts';
import { Sessions } from './sessions.ts';
import { singleFlight } from './single-flight.ts';
import { ConversationStore } from './store/conversation-store.ts';
import { LogStore } from './store/log-store.ts';
import { presentFrame } from '../dialects/voipbin/events.ts';
import type { DeliveryNews, ReceiveCommand, SendCommand, UpdateCommand } from '../domain/conversation/commands.ts';
import { decideDelete, decideUnassign, decideUpdate } from '../domain/conversation/decide-change.ts';
import { decideDeleteMessage } from '../domain/conversation/decide-message.ts';
import { decideLifecycle, nextLifecycleAt } from '../domain/conversation/lifecycle.ts';
import { nextSendAt, type SendOutcome, type SendPolicy } from '../domain/conversation/sends.ts';
import type { ConversationState, Message } from '../domain/conversation/state.ts';
import type { Refusal } from '../domain/errors.ts';
import type { NewConversationEvent } from '../domain/conversation/events.ts';
import { fromLogRow } from '../domain/conversation/log-row.ts';
import { hasRole, isOwner } from '../domain/permissions.ts';
import { ok, type Result } from '../domain/result.ts';
import type { Micros, Millis } from '../domain/time.ts';
import { errorName, log } from '../log.ts';
import { revokedReaders } from '../storage/readers.ts';

/** A new conversation waits so long for D1, so that lists know it when its first request is answered. Milliseconds. */
const FIRST_HISTORY_MS = 250;
const AFTER_FAILURE_MS = 60_000;

/**
 * One conversation: the truth about it, its order and its sends. Every public method is an RPC command or question;
 * commands are safe to repeat. Decisions are made in domain/, committed by Room, and followed by `#settle`.
 */
export class ConversationObject extends DurableObject<Env> {
  readonly #room: Room;
  readonly #alarm: AlarmClock;
  readonly #sessions: Sessions;
  readonly #history: HistorySink;
  readonly #sends: SendSink;
  readonly #feed: FeedSink;
  readonly #drainSends: () => Promise<void>;
  readonly #drainHistory: () => Promise<void>;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const store = new ConversationStore(ctx.storage);
    const logStore = new LogStore(ctx.storage.sql);
    this.#alarm = new AlarmClock(ctx);
    this.#room = new Room(ctx.storage, store, logStore);
    this.#history = new HistorySink(env, new ConversationHistory(env.DB, store, logStore));
    this.#feed = new FeedSink(env, new ConversationFeed(this.#room));
    this.#sends = new SendSink(env, ctx.storage, store);
    this.#sessions = new Sessions(ctx, {
      head: () => this.#state()?.sequence ?? 0,
      framesAfter: (sequence, limit) => this.#framesAfter(sequence, limit),
      mayRead: (reader) => this.#mayRead(reader),
      revoked: (readers) => revokedReaders(env, readers),
      command: () => errorFrame('expected {"type":"ack","sequence":N}'),
      rearm: () => this.#rearm(),
    });
    // Apart, so that a D1 that is slow holds up no send.
    this.#drainSends = singleFlight(() => this.#afterwards(this.#sends.drain(this.#state()?.id ?? null)));
    this.#drainHistory = singleFlight(() => this.#afterwards(this.#history.drain()));
    void ctx.blockConcurrencyWhile(async () => {
      await this.#alarm.load();
      this.#sessions.wake();
      this.#feed.wake();
      this.#rearm();
    });
  }

  /** An inbound item, once. Refuses with CONVERSATION_CLOSED when the conversation is over and the next one must take it. */
  async receive(command: ReceiveCommand): Promise<Result<Received, Refusal>> {
    const received = receive(this.#room, command);
    await this.#settle();
    return received;
  }

  /** Whether this provider id came in here; asked by a successor, so that a late redelivery does not start it anew. */
  knows(providerKey: string): boolean {
    return knowsKey(this.#room, providerKey);
  }

  async send(command: SendCommand): Promise<Result<Message, Refusal>> {
    const sent = send(this.#room, command);
    await this.#settle();
    return sent;
  }

  read(customerId: string): Result<ConversationState, Refusal> {
    return this.#room.find(customerId);
  }

  readMessage(customerId: string, messageId: string): Result<Message, Refusal> {
    return this.#room.findMessage(customerId, messageId);
  }

  /** Newest first, those created before `before` (null: all), at most `limit`. */
  listMessages(customerId: string, before: Micros | null, limit: number): Result<Message[], Refusal> {
    const found = this.#room.find(customerId);
    return found.ok ? ok(this.#room.store.messagesBefore(before, limit)) : found;
  }

  async update(command: UpdateCommand): Promise<Result<ConversationState, Refusal>> {
    const found = this.#room.find(command.customerId);
    if (!found.ok) return found;
    const at = this.#room.now();
    return this.#change(command.customerId, decideUpdate(found.value, command, at), at);
  }

  /** `asOwner`: the agent that gives its conversation back; null for a manager. PERMISSION_DENIED when it is not the owner. */
  async unassign(customerId: string, asOwner: string | null): Promise<Result<ConversationState, Refusal>> {
    const found = this.#room.find(customerId);
    if (!found.ok) return found;
    const at = this.#room.now();
    return this.#change(customerId, decideUnassign(found.value, asOwner, at), at);
  }

  /** Soft: the row stays with its time of deletion, and nothing finds it any more. */
  async remove(customerId: string): Promise<Result<ConversationState, Refusal>> {
    const found = this.#room.find(customerId);
    if (!found.ok) return found;
    const at = this.#room.now();
    this.#room.commit(decideDelete(found.value, at), at);
    await this.#settle();
    return ok(this.#state() ?? found.value);
  }

  async removeMessage(customerId: string, messageId: string): Promise<Result<Message, Refusal>> {
    const found = this.#room.findMessage(customerId, messageId);
    if (!found.ok) return found;
    const at = this.#room.now();
    this.#room.commit(decideDeleteMessage(found.value, at), at, { rows: () => cancelSends(this.#room, found.value) });
    await this.#settle();
    return ok(this.#room.store.message(messageId) ?? found.value);
  }

  /** The queue's consumer takes one attempt; null: not its turn. */
  claim(deliveryId: string, attempt: number, policy: SendPolicy): SendOrder | null {
    const order = claimSend(this.#room, deliveryId, attempt, policy);
    this.#rearm();
    return order;
  }

  async report(deliveryId: string, attempt: number, outcome: SendOutcome): Promise<void> {
    reportSend(this.#room, deliveryId, attempt, outcome);
    await this.#settle();
  }

  /** A provider's status callback. False when this conversation has no such delivery of that customer. */
  async receipt(customerId: string, deliveryId: string, news: DeliveryNews): Promise<boolean> {
    if (this.#state()?.customerId !== customerId) return false;
    const known = receipt(this.#room, deliveryId, news);
    await this.#settle();
    return known;
  }

  /** The cron's hand on the shoulder: does what the alarm would have done, should that have been lost. */
  async nudge(): Promise<void> {
    await this.#catchUp();
  }

  /** The upgrade of a live stream. The Worker has authenticated it and says so in SESSION_HEADER. */
  override fetch(request: Request): Response {
    const session = sessionRequestSchema.parse(JSON.parse(request.headers.get(SESSION_HEADER) ?? 'null'));
    if (!this.#room.find(session.reader.customerId).ok) return new Response(null, { status: 404 });
    return this.#sessions.accept(session);
  }

  override async webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    await this.#sessions.message(socket, data);
    this.#rearm();
  }

  override webSocketClose(socket: WebSocket): void {
    this.#sessions.gone(socket);
  }

  override webSocketError(socket: WebSocket): void {
    this.#sessions.gone(socket);
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
      await this.#drainSends();
    } catch (error) {
      log('error', 'alarm failed', { conversation: this.ctx.id.name ?? '', error: errorName(error) });
      return this.#alarm.wakeBy([Date.now() + AFTER_FAILURE_MS]);
    }
    this.#rearm();
  }

  async #change(customerId: string, decided: Result<NewConversationEvent[], Refusal>, at: Micros) {
    if (!decided.ok) return decided;
    this.#room.commit(decided.value, at);
    await this.#settle();
    return this.#room.find(customerId);
  }

  #passTime(now: Millis): void {
    const record = this.#room.store.record();
    if (!record) return;
    this.#sends.expired(now).forEach(({ send: expired, step }) => commitStep(this.#room, expired, step));
    this.#sessions.dropStalled(now);
    this.#room.store.keys.dropExpired(now);
    this.#history.saveCursor();
    const at = this.#room.now();
    const state = this.#state();
    const events = state ? decideLifecycle(state, record.settings, now, at) : [];
    if (events.length > 0) this.#room.commit(events, at);
  }

  /** After every commit: readers first, then the drains; only a conversation that D1 never heard of waits for it, and briefly. */
  async #settle(): Promise<void> {
    this.#sessions.broadcast();
    this.#rearm();
    this.ctx.waitUntil(this.#drainSends());
    this.ctx.waitUntil(this.#feed.drain());
    const history = this.#drainHistory();
    this.ctx.waitUntil(history);
    if (!this.#history.isKnown()) await Promise.race([history, scheduler.wait(FIRST_HISTORY_MS)]);
  }

  async #afterwards(drained: Promise<void>): Promise<void> {
    await drained;
    this.#rearm();
  }

  /** An agent that reads as the owner reads for as long as it is the owner. */
  #mayRead(reader: Reader): boolean {
    return hasRole(reader, 'manager-or-admin') || isOwner(reader, this.#state()?.ownerId ?? null);
  }

  /** Sets the alarm to the next thing that is due, with a little patience for work that a drain is busy with. */
  #rearm(): void {
    const record = this.#room.store.record();
    if (!record) return;
    const now = Date.now();
    const historyAt = this.#history.retryAt();
    const sendAt = nextSendAt(this.#room.store.sends());
    this.#alarm.wakeBy([
      historyAt === null ? null : Math.max(historyAt, now + NET_MS),
      sendAt === null ? null : sendAt <= now ? now + NET_MS : sendAt,
      nextLifecycleAt(record.conversation, record.settings),
      this.#sessions.nextStallAt(),
    ]);
  }

  #state(): ConversationState | null {
    return this.#room.store.record()?.conversation ?? null;
  }

  #framesAfter(sequence: number, limit: number): { sequence: number; text: string }[] {
    return this.#room.log.after(sequence, limit).map((row) => {
      const message = row.messageId === null ? null : this.#room.store.message(row.messageId);
      return { sequence: row.sequence, text: JSON.stringify(presentFrame(fromLogRow(row, message))) };
    });
  }
}
