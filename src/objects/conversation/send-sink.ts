import type { ConversationStore } from './store.ts';
import { expire, heads, publish, type Send, type SendStep } from '../../domain/conversation/delivery/sends.ts';
import { SECOND, type Millis } from '../../domain/time.ts';
import { errorName, log as notice } from '../../log.ts';
import { enqueue, type ChannelSendJob } from '../../queues/jobs.ts';

const REPUBLISH_MS = 2 * SECOND;

/** The drain towards the queue `channel-sends`: the head of each lane, and only that, so that order is kept under retries. */
export class SendSink {
  readonly #env: Env;
  readonly #storage: DurableObjectStorage;
  readonly #store: ConversationStore;

  constructor(env: Env, storage: DurableObjectStorage, store: ConversationStore) {
    this.#env = env;
    this.#storage = storage;
    this.#store = store;
  }

  /** Marks what is due as published, then queues it; what the queue refuses goes back to waiting. Never throws. */
  async drain(conversationId: string | null): Promise<void> {
    const due = conversationId === null ? [] : this.#markDue(Date.now());
    if (conversationId === null || due.length === 0) return;
    try {
      await enqueue(
        this.#env.CHANNEL_SENDS,
        due.map((send) => jobOf(conversationId, send)),
      );
    } catch (error) {
      notice('warn', 'sends not queued', { conversation: conversationId, count: due.length, error: errorName(error) });
      this.#putBack(due, Date.now() + REPUBLISH_MS);
    }
  }

  /** The leases and waits that ran out by now, as steps for the object to commit. */
  expired(now: Millis): { send: Send; step: SendStep }[] {
    return heads(this.#store.sends())
      .filter((send) => send.phase !== 'waiting' && send.dueAt <= now)
      .map((send) => ({ send, step: expire(send, now, Math.random()) }));
  }

  #markDue(now: Millis): Send[] {
    const due = heads(this.#store.sends()).filter((send) => send.phase === 'waiting' && send.dueAt <= now);
    if (due.length > 0) {
      this.#storage.transactionSync(() => due.forEach((send) => this.#store.saveSend(publish(send, now))));
    }
    return due;
  }

  /** Only those that nobody claimed meanwhile: a queue may take a batch and still answer with an error. */
  #putBack(due: Send[], dueAt: Millis): void {
    const present = new Map(this.#store.sends().map((send) => [send.deliveryId, send]));
    for (const { deliveryId, attempt } of due) {
      const send = present.get(deliveryId);
      if (send?.phase === 'published' && send.attempt === attempt)
        this.#store.saveSend({ ...send, phase: 'waiting', dueAt });
    }
  }
}

const jobOf = (conversationId: string, send: Send): ChannelSendJob => ({
  v: 1,
  conversationId,
  deliveryId: send.deliveryId,
  accountId: send.accountId,
  attempt: send.attempt + 1,
});
