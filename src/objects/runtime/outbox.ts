import { inTime } from './in-time.ts';
import { singleFlight } from './single-flight.ts';
import { SECOND, type Millis } from '../../domain/time.ts';
import { errorName, log as notice } from '../../log.ts';

const WORK_TIMEOUT_MS = 20 * SECOND;
const LONGEST_BACKOFF_MS = 30 * SECOND;

/** Work that an object owes somebody else and that may fail: it is tried until it is done, ever more patiently. */
export class Outbox {
  readonly #isPending: () => boolean;
  #failures = 0;
  #retryAt: Millis = 0;
  /** One at a time. Never throws: `retryAt` says when to come back. */
  readonly drain: () => Promise<void>;

  /** `work` may be repeated: whatever it did before it failed, or before the object was evicted, it does again. */
  constructor(name: string, isPending: () => boolean, work: () => Promise<void>) {
    this.#isPending = isPending;
    this.drain = singleFlight(async () => {
      if (!isPending() || Date.now() < this.#retryAt) return;
      try {
        await inTime(work(), WORK_TIMEOUT_MS);
        this.#failures = 0;
      } catch (error) {
        this.#failures += 1;
        this.#retryAt = Date.now() + Math.min(SECOND * 2 ** Math.min(this.#failures, 10), LONGEST_BACKOFF_MS);
        notice('warn', 'outbox is behind', { outbox: name, failures: this.#failures, error: errorName(error) });
      }
    });
  }

  /** When there is something to do, or null. */
  retryAt(): Millis | null {
    return this.#isPending() ? this.#retryAt : null;
  }
}
