import type { ConversationAggregate } from './aggregate.ts';
import { CLAIM_LEASE_MS } from '../../domain/conversation/delivery/sends.ts';
import { SECOND, type Millis } from '../../domain/time.ts';

/**
 * A consumer begins its request within two seconds of its claim or not at all (queues/channel-sends.ts): after that a provider has it,
 * and only its answer is still missing.
 */
const LONGEST_WAIT_MS: Millis = 3 * SECOND;

/**
 * Attempts that began before a takeover cannot be called back, so the takeover is acknowledged when they are over: after that
 * nothing of an assistant's or a fenced flow's reaches the provider (invariant 7).
 */
export class InFlight {
  readonly #aggregate: ConversationAggregate;
  #waiting: (() => void)[] = [];

  constructor(aggregate: ConversationAggregate) {
    this.#aggregate = aggregate;
  }

  /** An attempt is over. */
  reported(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    waiting.forEach((resume) => resume());
  }

  /** Also for a command that repeats a takeover whose first answer was lost. */
  async settled(): Promise<void> {
    for (let end = this.#busyUntil(); end > Date.now(); end = this.#busyUntil())
      await this.#nextReport(end - Date.now());
  }

  /** Until when an attempt that is not to be may still reach its provider; 0 when none is under way. */
  #busyUntil(): Millis {
    const forbidden = this.#aggregate.store.sends().filter((send) => send.phase === 'claimed' && send.withdrawn);
    return Math.max(0, ...forbidden.map(({ dueAt }) => dueAt - CLAIM_LEASE_MS + LONGEST_WAIT_MS));
  }

  /** The timer ends with the report, because an object with a timer is not put to sleep. */
  async #nextReport(limit: Millis): Promise<void> {
    const timer = new AbortController();
    const late = scheduler.wait(limit, { signal: timer.signal }).catch(() => undefined);
    await Promise.race([new Promise<void>((resume) => this.#waiting.push(resume)), late]);
    timer.abort();
  }
}
