import type { ConversationAggregate } from './aggregate.ts';
import { flowOutbox, turnOutbox } from './automation.ts';
import { fileOutbox } from './files.ts';
import { ConversationFeed, ConversationHistory } from './projection.ts';
import { consentOutbox } from './receive.ts';
import { sendOutbox } from './send.ts';
import { FeedSink } from '../projection/feed-sink.ts';
import { HistorySink } from '../projection/history-sink.ts';
import { NET_MS } from '../runtime/alarm.ts';
import { type Outbox, singleFlight } from '../runtime/drains.ts';
import { nextTurnAt } from '../../domain/conversation/automation/turns.ts';
import { nextPendingFallbackAt } from '../../domain/conversation/delivery/fallback.ts';
import { nextSendAt } from '../../domain/conversation/delivery/sends.ts';
import { nextFileAt } from '../../domain/conversation/automation/automation.ts';
import type { Millis } from '../../domain/time.ts';

/** A new conversation waits this long for D1, so that lists know it when its first request is answered. Milliseconds. */
const FIRST_HISTORY_MS = 250;
/** How long the answer to a contact's STOP waits until the AddressObject knows it too. Milliseconds. */
const CONSENT_MS = 5000;

/** What the drains of a conversation need of their object. */
interface DrainsHost {
  /** The next due time may have changed. */
  rearm(): void;
  /** A drain has made a commit of its own. */
  committed(): void;
}

/** Everything that follows a commit: what others must learn of it, each at its own pace. No drain ever throws. */
export class Drains {
  readonly history: HistorySink;
  readonly feed: FeedSink;
  readonly #ctx: DurableObjectState;
  readonly #aggregate: ConversationAggregate;
  readonly #rearm: () => void;
  readonly #consent: Outbox;
  readonly #flows: Outbox;
  readonly #drainTurns: () => Promise<void>;
  readonly #drainFiles: () => Promise<void>;
  readonly #drainSends: () => Promise<void>;
  readonly #drainHistory: () => Promise<void>;

  constructor(ctx: DurableObjectState, env: Env, aggregate: ConversationAggregate, host: DrainsHost) {
    this.#ctx = ctx;
    this.#aggregate = aggregate;
    this.#rearm = () => host.rearm();
    this.history = new HistorySink(env, new ConversationHistory(env.DB, aggregate));
    this.feed = new FeedSink(env, new ConversationFeed(aggregate));
    this.#consent = consentOutbox(env, aggregate);
    this.#flows = flowOutbox(env, aggregate, () => host.committed());
    this.#drainTurns = turnOutbox(env, aggregate);
    this.#drainFiles = fileOutbox(env, aggregate);
    const drainSends = sendOutbox(env, aggregate);
    // Apart from each other, so that a slow D1 delays no send.
    this.#drainSends = singleFlight(() => this.#afterwards(drainSends()));
    this.#drainHistory = singleFlight(() => this.#afterwards(this.history.drain()));
  }

  /** Only a conversation that D1 never heard of waits for it, and briefly. */
  async start(): Promise<void> {
    const pending = [this.#consent, this.#flows].filter((outbox) => outbox.retryAt() !== null);
    const history = this.#drainHistory();
    const begun = [
      this.#drainSends(),
      this.feed.drain(),
      history,
      this.#drainFiles(),
      ...pending.map((each) => this.#afterwards(each.drain())),
    ];
    begun.forEach((drain) => this.#ctx.waitUntil(drain));
    if (!this.history.isKnown()) await Promise.race([history, scheduler.wait(FIRST_HISTORY_MS)]);
  }

  /** What is on its way to D1 has arrived, or has failed. */
  drainHistory(): Promise<void> {
    return this.#drainHistory();
  }

  /** D1 gets all of it once more. @throws when D1 does not take it now. */
  async rebuildHistory(): Promise<void> {
    const head = this.#aggregate.conversation?.sequence ?? 0;
    this.history.rewind();
    await this.#drainHistory();
    if (this.history.cursor() < head) throw new Error('D1 has not taken the history again');
  }

  /** Fills the queues with what is due. */
  async queue(): Promise<void> {
    await Promise.all([this.#drainSends(), this.#drainTurns(), this.#drainFiles()]);
  }

  /** A contact's STOP is acknowledged when the next conversation knows it as well. */
  async consentPublished(): Promise<void> {
    if (this.#consent.retryAt() === null) return;
    await Promise.race([this.#afterwards(this.#consent.drain()), scheduler.wait(CONSENT_MS)]);
  }

  /** When the alarm must run a drain; later where one may be at work already. */
  dueTimes(now: Millis): (Millis | null)[] {
    const patiently = (at: Millis | null) => (at === null ? null : Math.max(at, now + NET_MS));
    const sendAt = nextSendAt(this.#aggregate.sends);
    const pending = this.#aggregate.record?.pending;
    return [
      ...[this.history, this.#consent, this.#flows].map((sink) => patiently(sink.retryAt())),
      sendAt === null ? null : sendAt <= now ? now + NET_MS : sendAt,
      nextPendingFallbackAt(pending?.pendingFallbacks ?? []),
      nextFileAt(pending?.files ?? []),
      // Nothing but the alarm publishes a turn: its contact has to pause first.
      nextTurnAt(pending?.turns ?? []),
    ];
  }

  async #afterwards(drained: Promise<void>): Promise<void> {
    await drained;
    this.#rearm();
  }
}
