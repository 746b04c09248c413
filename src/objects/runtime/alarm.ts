import { SECOND, type Millis } from '../../domain/time.ts';

/** An alarm in the past may never fire (facts/style.md section 5): the earliest is a moment from now. */
const SOONEST_MS = 50;
/** An alarm that is this late is lost. One that has just become due must not be moved: a busy object would postpone it for ever. */
const LOST_MS = 10 * SECOND;
/** How much later the alarm runs work that a drain has just been started for. */
export const NET_MS = 5 * SECOND;

/** The one physical alarm of an object, for everything that becomes due there. */
export class AlarmClock {
  readonly #ctx: DurableObjectState;
  #at: Millis | null = null;

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx;
  }

  async load(): Promise<void> {
    this.#at = await this.#ctx.storage.getAlarm();
  }

  fired(): void {
    this.#at = null;
  }

  /** The alarm will fire by the earliest of these times; null stands for nothing due. */
  wakeBy(due: (Millis | null)[]): void {
    const times = due.filter((time) => time !== null);
    if (times.length === 0) return;
    const now = Date.now();
    const next = Math.max(Math.min(...times), now + SOONEST_MS);
    // Must be moved: a missing one, one that would come too late, or one that should have fired long ago.
    if (this.#at === null || this.#at > next || this.#at < now - LOST_MS) this.#set(next);
  }

  #set(at: Millis): void {
    this.#at = at;
    this.#ctx.waitUntil(this.#ctx.storage.setAlarm(at));
  }
}
