import { consentOutbox } from './consent.ts';
import { ConversationFeed } from './feed.ts';
import { flowOutbox } from './flow-starts.ts';
import { ConversationHistory } from './history.ts';
import type { ConversationAggregate } from './aggregate.ts';
import { NET_MS } from '../runtime/alarm.ts';
import { FeedSink } from '../projection/feed-sink.ts';
import { FileSink } from './file-sink.ts';
import { HistorySink } from '../projection/history-sink.ts';
import type { Outbox } from '../runtime/outbox.ts';
import { SendSink } from './send-sink.ts';
import { singleFlight } from '../runtime/single-flight.ts';
import { TurnSink } from './turn-sink.ts';
import { nextPendingFallbackAt } from '../../domain/conversation/delivery/fallback.ts';
import { nextFileAt } from '../../domain/conversation/files.ts';
import { nextSendAt } from '../../domain/conversation/delivery/sends.ts';
import { nextTurnAt } from '../../domain/conversation/automation/turns.ts';
import type { Millis } from '../../domain/time.ts';

/** A new conversation waits so long for D1, so that lists know it when its first request is answered. Milliseconds. */
const FIRST_HISTORY_MS = 250;
/** As long as a contact's STOP waits for the AddressObject to know it too. */
const CONSENT_MS = 5000;

/** What the drains of a conversation need of their object. */
interface DrainsHost {
  /** When something is due may have changed. */
  rearm(): void;
  /** A drain has made a commit of its own. */
  committed(): void;
}

/** Everything that a commit is followed by: what others must be told of it, each at its own pace. No drain ever throws. */
export class Drains {
  readonly history: HistorySink;
  readonly sends: SendSink;
  readonly feed: FeedSink;
  readonly #ctx: DurableObjectState;
  readonly #aggregate: ConversationAggregate;
  readonly #rearm: () => void;
  readonly #turns: TurnSink;
  readonly #files: FileSink;
  readonly #consent: Outbox;
  readonly #flows: Outbox;
  readonly #drainSends: () => Promise<void>;
  readonly #drainHistory: () => Promise<void>;

  constructor(ctx: DurableObjectState, env: Env, aggregate: ConversationAggregate, host: DrainsHost) {
    this.#ctx = ctx;
    this.#aggregate = aggregate;
    this.#rearm = () => host.rearm();
    this.history = new HistorySink(env, new ConversationHistory(env.DB, aggregate.store, aggregate.log));
    this.feed = new FeedSink(env, new ConversationFeed(aggregate));
    this.sends = new SendSink(env, ctx.storage, aggregate.store);
    this.#turns = new TurnSink(env, aggregate);
    this.#files = new FileSink(env, aggregate);
    this.#consent = consentOutbox(env, aggregate);
    this.#flows = flowOutbox(env, aggregate, () => host.committed());
    // Apart, so that a D1 that is slow holds up no send.
    this.#drainSends = singleFlight(() =>
      this.#afterwards(this.sends.drain(aggregate.store.record()?.conversation.id ?? null)),
    );
    this.#drainHistory = singleFlight(() => this.#afterwards(this.history.drain()));
  }

  /** Only a conversation that D1 never heard of waits for it, and briefly. */
  async start(): Promise<void> {
    const owed = [this.#consent, this.#flows].filter((outbox) => outbox.retryAt() !== null);
    const history = this.#drainHistory();
    const begun = [
      this.#drainSends(),
      this.feed.drain(),
      history,
      this.#files.drain(),
      ...owed.map((each) => this.#afterwards(each.drain())),
    ];
    begun.forEach((drain) => this.#ctx.waitUntil(drain));
    if (!this.history.isKnown()) await Promise.race([history, scheduler.wait(FIRST_HISTORY_MS)]);
  }

  /** What is on its way to D1 has got there, or has failed. */
  historySettled(): Promise<void> {
    return this.#drainHistory();
  }

  /** D1 gets all of it once more. @throws where it does not take it now. */
  async historyAgain(): Promise<void> {
    const head = this.#aggregate.store.record()?.conversation.sequence ?? 0;
    this.history.rewind();
    await this.#drainHistory();
    if (this.history.place() < head) throw new Error('D1 has not taken the history again');
  }

  /** What the queues must be brought when it is due. */
  async queue(): Promise<void> {
    await Promise.all([this.#drainSends(), this.#turns.drain(), this.#files.drain()]);
  }

  /** A contact's STOP is answered for when the next conversation knows it as well. */
  async consentTold(): Promise<void> {
    if (this.#consent.retryAt() === null) return;
    await Promise.race([this.#afterwards(this.#consent.drain()), scheduler.wait(CONSENT_MS)]);
  }

  /** When the alarm must bring a drain along, with a little patience for what one is busy with. */
  dueTimes(now: Millis): (Millis | null)[] {
    const patiently = (at: Millis | null) => (at === null ? null : Math.max(at, now + NET_MS));
    const sendAt = nextSendAt(this.#aggregate.store.sends());
    return [
      ...[this.history, this.#consent, this.#flows].map((sink) => patiently(sink.retryAt())),
      sendAt === null ? null : sendAt <= now ? now + NET_MS : sendAt,
      nextPendingFallbackAt(this.#aggregate.store.record()?.pending.unseen ?? []),
      nextFileAt(this.#aggregate.store.record()?.pending.files ?? []),
      // Nothing but the alarm publishes a turn: its contact has to pause first.
      nextTurnAt(this.#aggregate.store.record()?.pending.turns ?? []),
    ];
  }

  async #afterwards(drained: Promise<void>): Promise<void> {
    await drained;
    this.#rearm();
  }
}
