import { DurableObject } from 'cloudflare:workers';
import { readOwnJson } from '../domain/log-row.ts';
import { HOUR } from '../domain/time.ts';

/** Idempotency keys are good for 24 hours; this a little longer than the conversation's own record of them. */
const LIFE_MS = 25 * HOUR;

interface Held {
  conversationId: string;
  /** Of the request: the same key with another one is a client's mistake. */
  fingerprint: string;
}

/**
 * Which conversation took the request of one Idempotency-Key, where the request itself names none (`POST /v1/messages`): a repeat
 * goes there, whatever has become of it, and another request under the same key is found out there.
 */
export class RequestKeyObject extends DurableObject<Env> {
  holder(): string | null {
    return this.#read()?.conversationId ?? null;
  }

  /** @returns the conversation that holds it: `conversationId`, or the one that was faster. Null: it is another request's key. */
  async claim(conversationId: string, fingerprint: string): Promise<string | null> {
    const held = this.#read();
    if (held) return held.fingerprint === fingerprint ? held.conversationId : null;
    this.ctx.storage.kv.put('held', JSON.stringify({ conversationId, fingerprint }));
    await this.ctx.storage.setAlarm(Date.now() + LIFE_MS);
    return conversationId;
  }

  /** `conversationId` could not take the request: the next one may. */
  release(conversationId: string): void {
    if (this.holder() === conversationId) this.ctx.storage.kv.delete('held');
  }

  #read(): Held | null {
    const text = this.ctx.storage.kv.get<string>('held');
    return text === undefined ? null : readOwnJson<Held>(text);
  }

  override async alarm(): Promise<void> {
    await this.ctx.storage.deleteAll();
  }
}
