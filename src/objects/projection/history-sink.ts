import { inTime } from '../runtime/drains.ts';
import { SECOND, type Millis } from '../../domain/time.ts';
import { errorName, log as notice } from '../../log.ts';
import { enqueue } from '../../queues/jobs.ts';
import type { LogStore } from '../runtime/log-store.ts';
import type { LogRow } from '../../domain/events.ts';

const D1_TIMEOUT_MS = 10 * SECOND;
/** How much lists may lag behind after an outage. */
const LONGEST_BACKOFF_MS = 30 * SECOND;

/** What an object projects into D1. */
export interface HistorySource {
  /** The log's head. */
  head(): number;
  /** How far D1 has the log, as it was last stored; 0 before the first commit. */
  storedCursor(): number;
  storeCursor(cursor: number): void;
  /** Whether there is anything that D1 lacks when it has the log up to the cursor. */
  isBehind(cursor: number): boolean;
  /** Writes the next log batch after the cursor to D1, in one D1 batch that is idempotent. */
  project(cursor: number): Promise<Projected>;
}

export interface Projected {
  cursor: number;
  /** The webhook deliveries that wait for their first attempt. */
  due: string[];
}

/**
 * The drain towards D1: history, lists and webhook deliveries. The log is the outbox and a cursor says how far D1 has it; it moves
 * only after D1 took the batch. It is stored by the next alarm and not after each batch, which saves a row and a commit for most
 * messages: an object that wakes up with an old cursor repeats a batch, and that changes nothing.
 */
export class HistorySink {
  readonly #env: Env;
  readonly #source: HistorySource;
  /** Beyond the stored one, or 0. */
  #unstored = 0;
  /** Grows with every rewind: the answer to a batch that was begun before says nothing of what D1 has since. */
  #generation = 0;
  #failures = 0;
  #retryAt: Millis = 0;

  constructor(env: Env, source: HistorySource) {
    this.#env = env;
    this.#source = source;
  }

  /**
   * Until D1 has everything that was in the log when it began, or refuses; then `retryAt` says when to come back. What is appended
   * in the meantime is left to the next drain: a busy log would otherwise be drained row by row. Never throws.
   */
  async drain(): Promise<void> {
    const head = this.#source.head();
    try {
      while ((await this.#drainBatch()) && this.cursor() < head) continue;
    } catch (error) {
      this.#backOff(error);
    }
  }

  /** When there is something to drain or to store, or null when D1 has everything and the record says so. */
  retryAt(): Millis | null {
    if (this.#source.isBehind(this.cursor())) return this.#retryAt;
    return this.#unstored > this.#source.storedCursor() ? 0 : null;
  }

  /** Whether D1 has ever heard of this object. */
  isKnown(): boolean {
    return this.cursor() > 0;
  }

  /** How far D1 has the log; 0: it has never heard of this object. */
  cursor(): number {
    return Math.max(this.#unstored, this.#source.storedCursor());
  }

  /** D1 has nothing of the log any more, and is to get all of it. */
  rewind(): void {
    this.#generation += 1;
    this.#unstored = 0;
    // Who has just changed something in D1 knows that it answers.
    this.#retryAt = 0;
    this.#source.storeCursor(0);
  }

  saveCursor(): void {
    if (this.#unstored > this.#source.storedCursor()) this.#source.storeCursor(this.#unstored);
  }

  async #drainBatch(): Promise<boolean> {
    if (!this.#source.isBehind(this.cursor()) || Date.now() < this.#retryAt) return false;
    const generation = this.#generation;
    const { cursor, due } = await inTime(this.#source.project(this.cursor()), D1_TIMEOUT_MS);
    if (generation === this.#generation) this.#unstored = Math.max(this.#unstored, cursor);
    this.#failures = 0;
    await this.#enqueueWebhooks(due);
    return true;
  }

  /** The rows in D1 are the truth: what the queue does not take, the cron's sweep finds. */
  async #enqueueWebhooks(ids: string[]): Promise<void> {
    try {
      await enqueue(
        this.#env.WEBHOOKS,
        ids.map((id) => ({ v: 1, webhookDeliveryId: id })),
      );
    } catch (error) {
      notice('warn', 'webhooks not queued, left to the sweep', { count: ids.length, error: errorName(error) });
    }
  }

  #backOff(error: unknown): void {
    this.#failures += 1;
    this.#retryAt = Date.now() + Math.min(SECOND * 2 ** Math.min(this.#failures, 10), LONGEST_BACKOFF_MS);
    notice('warn', 'history is behind', { failures: this.#failures, error: errorName(error) });
  }
}

/** D1 takes 2 MB as one value, and a batch's messages are one. */
const ROWS = 200;
const CHARACTERS = 400_000;

export interface LogBatch {
  rows: LogRow[];
  /** The messages that the rows are about, as they are now, each once: their JSON, as it is stored, by id. */
  messages: Map<string, string>;
}

/** As much of the log after the cursor as fits into one batch, and at least one row where there is any. */
export function nextLogBatch(
  log: Pick<LogStore, 'after'>,
  cursor: number,
  messageText: (id: string) => string | null,
): LogBatch {
  const rows: LogRow[] = [];
  const messages = new Map<string, string>();
  let characters = 0;
  for (const row of log.after(cursor, ROWS)) {
    const { messageId } = row;
    const text = messageId === null || messages.has(messageId) ? null : messageText(messageId);
    characters += row.facts.length + (text?.length ?? 0);
    if (rows.length > 0 && characters > CHARACTERS) break;
    rows.push(row);
    if (text !== null && messageId !== null) messages.set(messageId, text);
  }
  return { rows, messages };
}

/** The messages as one JSON array, without parsing them. */
export const messagesJson = ({ messages }: LogBatch): string => `[${[...messages.values()].join(',')}]`;
