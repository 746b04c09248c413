import type { ConversationRecord, ConversationStore } from './store/conversation-store.ts';
import type { LogStore } from './store/log-store.ts';
import { wireEventId, wireNames } from '../dialects/voipbin/events.ts';
import type { LoggedEvent } from '../domain/events.ts';
import { fromLogRow, type LogRow } from '../domain/log-row.ts';
import { SECOND, type Millis } from '../domain/time.ts';
import type { Message } from '../domain/conversation/state.ts';
import { errorName, log as notice } from '../log.ts';
import { enqueue } from '../queues/jobs.ts';
import { projectLog, type Announcement } from '../storage/projection.ts';

/** D1 takes 2 MB as one value, and a stretch's messages are one. */
const STRETCH = 50;
const STRETCH_CHARACTERS = 400_000;
const D1_TIMEOUT_MS = 10 * SECOND;
/** How much lists may lag behind after an outage. */
const LONGEST_BACKOFF_MS = 30 * SECOND;

/**
 * The drain towards D1: history, lists and webhook deliveries. The log is the outbox and a cursor says how far D1 has it; it moves
 * only after D1 took the stretch. It is stored by the next alarm and not after each stretch, which saves a row and a commit for most
 * messages: who wakes up with an old cursor repeats a stretch, and that changes nothing.
 */
export class HistorySink {
  readonly #env: Env;
  readonly #store: ConversationStore;
  readonly #log: LogStore;
  /** Beyond the stored one, or 0. */
  #cursor = 0;
  #failures = 0;
  #retryAt: Millis = 0;

  constructor(env: Env, store: ConversationStore, log: LogStore) {
    this.#env = env;
    this.#store = store;
    this.#log = log;
  }

  /** Until D1 has the whole log, or refuses; then `retryAt` says when to come back. Never throws. */
  async drain(): Promise<void> {
    try {
      while (await this.#drainStretch()) continue;
    } catch (error) {
      this.#backOff(error);
    }
  }

  /** When there is something to drain or to store, or null when D1 has the whole log and the record says so. */
  retryAt(record: ConversationRecord): Millis | null {
    if (this.#cursorOf(record) < record.conversation.sequence) return this.#retryAt;
    return this.#cursor > record.historyCursor ? 0 : null;
  }

  /** Whether D1 has ever heard of this conversation. */
  isKnown(record: ConversationRecord): boolean {
    return this.#cursorOf(record) > 0;
  }

  saveCursor(): void {
    const record = this.#store.record();
    if (record && this.#cursor > record.historyCursor) {
      this.#store.saveRecord({ ...record, historyCursor: this.#cursor });
    }
  }

  #cursorOf(record: ConversationRecord): number {
    return Math.max(this.#cursor, record.historyCursor);
  }

  async #drainStretch(): Promise<boolean> {
    const record = this.#store.record();
    if (!record || this.#cursorOf(record) >= record.conversation.sequence) return false;
    if (Date.now() < this.#retryAt) return false;
    const { rows, messages } = this.#nextStretch(this.#cursorOf(record));
    const announcements = rows.flatMap((row) => announce(record.conversation.id, this.#event(row, messages)));
    const stretch = { conversation: record.conversation, rows, messages: [...messages.values()], announcements };
    const due = await inTime(projectLog(this.#env.DB, stretch, Date.now()));
    this.#cursor = Math.max(this.#cursor, rows.at(-1)?.sequence ?? 0);
    this.#failures = 0;
    await this.#enqueueWebhooks(due);
    return true;
  }

  /** As many rows as fit, and at least one. A message is there as it is now, once for all the rows about it. */
  #nextStretch(cursor: number): { rows: LogRow[]; messages: Map<string, Message> } {
    const rows: LogRow[] = [];
    const messages = new Map<string, Message>();
    let characters = 0;
    for (const row of this.#log.after(cursor, STRETCH)) {
      const message = row.messageId === null || messages.has(row.messageId) ? null : this.#store.message(row.messageId);
      characters += row.facts.length + (message ? JSON.stringify(message).length : 0);
      if (rows.length > 0 && characters > STRETCH_CHARACTERS) break;
      rows.push(row);
      if (message) messages.set(message.id, message);
    }
    return { rows, messages };
  }

  #event(row: LogRow, messages: Map<string, Message>): LoggedEvent {
    return fromLogRow(row, row.messageId === null ? null : (messages.get(row.messageId) ?? null));
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

/**
 * A D1 that never answers counts as one that refuses: what it does later all the same, it would do twice without harm.
 * The timer ends with the answer, because an object with a timer is not put to sleep.
 */
async function inTime<T>(answer: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = scheduler.wait(D1_TIMEOUT_MS, { signal: timer.signal }).then(() => {
    throw new Error('D1 did not answer in time');
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    timer.abort();
    late.catch(() => undefined);
  }
}

const announce = (sourceId: string, event: LoggedEvent): Announcement[] =>
  wireNames(event).map((type) => ({
    sourceId,
    dialect: 'voipbin',
    eventId: wireEventId(sourceId, event.sequence, type),
    type,
    sequence: event.sequence,
  }));
