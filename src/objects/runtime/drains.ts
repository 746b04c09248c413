import { type Millis, SECOND } from '../../domain/time.ts';
import { errorName, log as notice } from '../../log.ts';
import { enqueue } from '../../queues/jobs.ts';

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

/*
 * What an object owes somebody else stands in its own storage until it is done. An Outbox does the work itself and retries it; a queue
 * outbox hands jobs to a queue, whose consumer reports to the object when the work is done. Both may repeat what they did, and neither throws.
 */

const WORK_TIMEOUT_MS = 20 * SECOND;
const LONGEST_BACKOFF_MS = 30 * SECOND;

/** Work that an object does itself and that may fail: it is retried until it succeeds, with growing pauses. */
export class Outbox {
  readonly #isPending: () => boolean;
  #failures = 0;
  #retryAt: Millis = 0;
  /** One run at a time; `retryAt` says when to call again. */
  readonly drain: () => Promise<void>;

  /** `work` must be safe to repeat: it may have failed, or the object may have been evicted, halfway through. */
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

const REPUBLISH_MS = 2 * SECOND;

/** What every job names, beside its own id. */
interface ConversationJob {
  conversationId: string;
}

interface QueueOutboxParts<T extends ConversationJob> {
  /** For the log line, as in "sends not queued". */
  name: string;
  queue: Queue;
  /** Commits that what is due is published from now on. @returns its jobs. */
  publish: (now: Millis) => T[];
  /**
   * The queue refused these: commits that they wait again until `dueAt`. A queue may take a batch and still answer with an error, so
   * jobs that a consumer has claimed in the meantime stay as they are.
   */
  putBack: (jobs: T[], dueAt: Millis) => void;
}

/** The drain towards a queue. Jobs are marked first and queued second: a lost one comes back when its lease runs out. */
export const queueOutbox =
  <T extends ConversationJob>({ name, queue, publish, putBack }: QueueOutboxParts<T>): (() => Promise<void>) =>
  async () => {
    const jobs = publish(Date.now());
    if (jobs.length === 0) return;
    try {
      await enqueue<unknown>(queue, jobs);
    } catch (error) {
      const conversation = jobs[0]?.conversationId ?? '';
      notice('warn', `${name} not queued`, { conversation, count: jobs.length, error: errorName(error) });
      putBack(jobs, Date.now() + REPUBLISH_MS);
    }
  };
