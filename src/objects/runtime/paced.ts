import { singleFlight } from './single-flight.ts';
import type { Millis } from '../../domain/time.ts';

/** Like `singleFlight`, with a rest of `gap` after each run: what happens in it shares the next one. The first after a rest is at once. */
export function paced(work: () => Promise<void>, gap: Millis): () => Promise<void> {
  let restsUntil: Millis = 0;
  return singleFlight(async () => {
    // A clock that was set back must not stretch the rest.
    const rest = Math.min(restsUntil - Date.now(), gap);
    if (rest > 0) await scheduler.wait(rest);
    await work();
    restsUntil = Date.now() + gap;
  });
}
