import type { Millis } from '../../domain/time.ts';

/**
 * Runs `work` at most once at a time. Calls during a run are answered by one further run that begins after it: whatever was committed
 * before the call is certain to be seen.
 */
export function singleFlight(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  let queued: Promise<void> | null = null;
  const start = (): Promise<void> => {
    running = work().finally(() => {
      running = null;
    });
    return running;
  };
  return () => {
    if (!running) return start();
    queued ??= running
      .catch(() => undefined)
      .then(() => {
        queued = null;
        return start();
      });
    return queued;
  };
}

/** Like `singleFlight`, with a pause of `gap` after each run, so that what happens in it shares the next one. The first run after a pause starts at once. */
export function paced(work: () => Promise<void>, gap: Millis): () => Promise<void> {
  let pausedUntil: Millis = 0;
  return singleFlight(async () => {
    // A clock that was set back must not stretch the pause.
    const pause = Math.min(pausedUntil - Date.now(), gap);
    if (pause > 0) await scheduler.wait(pause);
    await work();
    pausedUntil = Date.now() + gap;
  });
}
