import { DurableObject } from 'cloudflare:workers';
import { AlarmClock, NET_MS } from '../runtime/alarm.ts';
import { FeedSink } from '../projection/feed-sink.ts';
import { HistorySink } from '../projection/history-sink.ts';
import { paced } from '../runtime/drains.ts';
import { SESSION_HEADER, sessionRequestSchema } from '../live/protocol.ts';
import { TalkAggregate } from './aggregate.ts';
import * as commands from './commands.ts';
import { TalkLive } from './live.ts';
import { TalkFeed, TalkHistory } from './projection.ts';
import type { Border, TalkVersion } from './store.ts';
import type { IdempotencyClaim } from '../../domain/conversation/commands.ts';
import type { Refusal } from '../../domain/errors.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { mayRead } from '../../domain/talk/access.ts';
import type { Newcomer, OpenCommand, TalkActor, TalkChanges, TalkEdit, TalkSend } from '../../domain/talk/commands.ts';
import type { Participant, TalkMessage } from '../../domain/talk/state.ts';
import { errorName, log } from '../../log.ts';

/** A new talk waits this long for D1, so that lists know it when its first request is answered. Milliseconds. */
const FIRST_HISTORY_MS = 250;
/** How long history may lag for the sake of one batch instead of many: lists follow within a second (spec section 6). Milliseconds. */
const HISTORY_GAP_MS = 400;
const AFTER_FAILURE_MS = 60_000;

/**
 * One talk: the truth about it, its order and its sockets. Every public method is an RPC command or question; commands are safe to
 * repeat. A command loads, decides (domain/talk/) and commits without an await, and `#settle` starts what follows from the commit.
 */
export class TalkObject extends DurableObject<Env> {
  readonly #alarm: AlarmClock;
  readonly #aggregate: TalkAggregate;
  readonly #live: TalkLive;
  readonly #history: HistorySink;
  readonly #feed: FeedSink;
  readonly #drainHistory: () => Promise<void>;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#alarm = new AlarmClock(ctx);
    this.#aggregate = new TalkAggregate(ctx.storage);
    this.#history = new HistorySink(env, new TalkHistory(env.DB, this.#aggregate));
    this.#feed = new FeedSink(env, new TalkFeed(this.#aggregate));
    this.#live = new TalkLive(ctx, env, this.#aggregate, {
      settle: () => ctx.waitUntil(this.#settle()),
      rearm: () => this.#rearm(),
    });
    this.#drainHistory = paced(async () => {
      await this.#history.drain();
      this.#rearm();
    }, HISTORY_GAP_MS);
    void ctx.blockConcurrencyWhile(async () => {
      await this.#alarm.load();
      this.#live.sessions.wake();
      this.#feed.wake();
      this.#rearm();
    });
  }

  /** Makes the talk. An existing one of the same pair is the answer, and gets the participants that it lacks. */
  open(command: OpenCommand, creatorId: string): Promise<Result<commands.TalkView, Refusal>> {
    return this.#acknowledge(commands.openTalk(this.#aggregate, command, creatorId));
  }

  read(actor: TalkActor): Result<commands.TalkView, Refusal> {
    const found = mayRead(this.#aggregate.talk, actor);
    return found.ok ? ok(commands.viewOf(this.#aggregate, found.value, actor.agentId)) : found;
  }

  /** Whether this talk can no longer be the 1:1 talk of these two: it was deleted, or belongs to another pair. False for one that is just being opened. */
  isLostTo(agents: string[]): boolean {
    const state = this.#aggregate.talk?.state;
    return state !== undefined && (state.deletedAt !== null || state.pair?.some((id) => !agents.includes(id)) === true);
  }

  update(actor: TalkActor, changes: TalkChanges): Promise<Result<commands.TalkView, Refusal>> {
    return this.#acknowledge(commands.updateTalk(this.#aggregate, actor, changes));
  }

  close(actor: TalkActor): Promise<Result<commands.TalkView, Refusal>> {
    return this.#acknowledge(commands.closeTalk(this.#aggregate, actor));
  }

  /** `self`: who reopens, and joins again where it had left. */
  reopen(actor: TalkActor, self: Newcomer): Promise<Result<commands.TalkView, Refusal>> {
    return this.#acknowledge(commands.reopenTalk(this.#aggregate, actor, self));
  }

  /** Soft: the row stays with its time of deletion, and nothing finds it any more. */
  remove(actor: TalkActor): Promise<Result<commands.TalkView, Refusal>> {
    return this.#acknowledge(commands.deleteTalk(this.#aggregate, actor));
  }

  /** Newest first. */
  listParticipants(actor: TalkActor): Result<Participant[], Refusal> {
    const found = mayRead(this.#aggregate.talk, actor);
    return found.ok ? ok([...found.value.participants.values()].toSorted((a, b) => b.joinedAt - a.joinedAt)) : found;
  }

  join(actor: TalkActor, newcomer: Newcomer): Promise<Result<Participant, Refusal>> {
    return this.#acknowledge(commands.joinTalk(this.#aggregate, actor, newcomer));
  }

  leave(actor: TalkActor, participantId: string): Promise<Result<Participant, Refusal>> {
    return this.#acknowledge(commands.leaveTalk(this.#aggregate, actor, participantId));
  }

  /** How far the agent has read. @returns the talk, with what is unread then. */
  async markRead(actor: TalkActor, sequence: number): Promise<Result<commands.TalkView, Refusal>> {
    const moved = commands.moveRead(this.#aggregate, actor, sequence);
    if (!moved.ok) return moved;
    if (moved.value) this.#live.sendRead(moved.value);
    await this.#settle();
    return this.read(actor);
  }

  /** Newest first, those before `before` (null: all), at most `limit`; `parentId` leaves the answers to one message. */
  listMessages(
    actor: TalkActor,
    parentId: string | null,
    before: Border | null,
    limit: number,
  ): Result<TalkMessage[], Refusal> {
    const found = mayRead(this.#aggregate.talk, actor);
    if (!found.ok) return found;
    const { stored } = this.#aggregate;
    if (parentId === null) return ok(stored.messagesBefore(before, limit));
    if (!stored.message(parentId)) return err({ code: 'TALK_MESSAGE_NOT_FOUND' });
    return ok(stored.repliesBefore(parentId, before, limit));
  }

  /** Also a deleted one, without its content: it keeps its position. */
  readMessage(actor: TalkActor, messageId: string): Result<TalkMessage, Refusal> {
    const found = mayRead(this.#aggregate.talk, actor);
    if (!found.ok) return found.error.code === 'TALK_NOT_FOUND' ? err({ code: 'TALK_MESSAGE_NOT_FOUND' }) : found;
    const message = this.#aggregate.stored.message(messageId);
    return message ? ok(message) : err({ code: 'TALK_MESSAGE_NOT_FOUND' });
  }

  /** The message's former versions, oldest first. */
  listEdits(actor: TalkActor, messageId: string): Result<TalkVersion[], Refusal> {
    const found = this.readMessage(actor, messageId);
    return found.ok ? ok(this.#aggregate.stored.edits(messageId)) : found;
  }

  send(actor: TalkActor, command: TalkSend, claim: IdempotencyClaim): Promise<Result<TalkMessage, Refusal>> {
    return this.#acknowledge(commands.sendMessage(this.#aggregate, actor, command, claim));
  }

  edit(actor: TalkActor, messageId: string, edit: TalkEdit): Promise<Result<TalkMessage, Refusal>> {
    return this.#acknowledge(commands.editMessage(this.#aggregate, actor, messageId, edit));
  }

  removeMessage(actor: TalkActor, messageId: string): Promise<Result<TalkMessage, Refusal>> {
    return this.#acknowledge(commands.deleteMessage(this.#aggregate, actor, messageId));
  }

  react(
    actor: TalkActor,
    messageId: string,
    emoji: string,
    claim: IdempotencyClaim | null,
  ): Promise<Result<TalkMessage, Refusal>> {
    return this.#acknowledge(commands.react(this.#aggregate, actor, messageId, emoji, claim));
  }

  unreact(actor: TalkActor, messageId: string, emoji: string): Promise<Result<TalkMessage, Refusal>> {
    return this.#acknowledge(commands.unreact(this.#aggregate, actor, messageId, emoji));
  }

  /** Called by the cron for an object whose alarm may have been lost: does what the alarm would have done. */
  async backstop(): Promise<void> {
    await this.#catchUp();
  }

  /** The upgrade of a live stream. The Worker has authenticated it and says so in SESSION_HEADER. */
  override fetch(request: Request): Response {
    const session = sessionRequestSchema.parse(JSON.parse(request.headers.get(SESSION_HEADER) ?? 'null'));
    return this.#live.mayRead(session.reader) ? this.#live.accept(session) : new Response(null, { status: 403 });
  }

  override async webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    await this.#live.sessions.message(socket, data);
  }

  override webSocketClose(socket: WebSocket): void {
    this.#live.gone(socket);
  }

  override webSocketError(socket: WebSocket): void {
    this.#live.gone(socket);
  }

  override async alarm(): Promise<void> {
    this.#alarm.fired();
    await this.#catchUp();
  }

  /** Everything that becomes due with time. Never throws: the platform gives an alarm up after six failures. */
  async #catchUp(): Promise<void> {
    try {
      const now = Date.now();
      this.#live.sessions.dropStalled(now);
      this.#aggregate.dropExpiredKeys(now);
      this.#history.saveCursor();
      await this.#settle();
    } catch (error) {
      log('error', 'alarm failed', { talk: this.ctx.id.name ?? '', error: errorName(error) });
      this.#alarm.wakeBy([Date.now() + AFTER_FAILURE_MS]);
    }
  }

  async #acknowledge<T>(result: Result<T, Refusal>): Promise<Result<T, Refusal>> {
    await this.#settle();
    return result;
  }

  /** After every commit: readers first, then the drains; only a talk that D1 never heard of waits for it, and briefly. */
  async #settle(): Promise<void> {
    this.#live.sessions.broadcast();
    this.#rearm();
    this.ctx.waitUntil(this.#feed.drain());
    const history = this.#drainHistory();
    this.ctx.waitUntil(history);
    if (!this.#history.isKnown()) await Promise.race([history, scheduler.wait(FIRST_HISTORY_MS)]);
  }

  /** Sets the alarm to the next due time; later where a drain may be at work already. */
  #rearm(): void {
    if (!this.#aggregate.talk) return;
    const historyAt = this.#history.retryAt();
    this.#alarm.wakeBy([
      historyAt === null ? null : Math.max(historyAt, Date.now() + NET_MS),
      this.#live.sessions.nextStallAt(),
    ]);
  }
}
