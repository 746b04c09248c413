import type { Millis } from '../../domain/time.ts';

/**
 * Rejects when there is no answer in time. The work may still be done later, so it must be safe to repeat. The timer ends with the
 * answer, because an object with a timer is not evicted.
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
