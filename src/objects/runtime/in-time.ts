import type { Millis } from '../../domain/time.ts';

/**
 * Who never answers counts as one that refuses: what it does later all the same, it would do twice without harm.
 * The timer ends with the answer, because an object with a timer is not put to sleep.
 */
export async function inTime<T>(answer: Promise<T>, limit: Millis): Promise<T> {
  const timer = new AbortController();
  const late = scheduler.wait(limit, { signal: timer.signal }).then(() => {
    throw new Error('no answer in time');
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    timer.abort();
    late.catch(() => undefined);
  }
}
