import type { Millis } from '../domain/time.ts';

/** Short enough that a revocation bites within the 5 s of spec section 2, wherever it was made. */
const FRESH_MS: Millis = 3000;
/** While D1 does not answer, what was known is still good: nothing can have been revoked in it either. */
const STALE_MS: Millis = 60 * 60 * 1000;
const MAX_ENTRIES = 5000;

interface Entry<T> {
  value: T;
  loadedAt: Millis;
}

/** Directory rows of this isolate's last few seconds: one D1 query for many requests, and none while D1 is away. */
export class DirectoryCache<T> {
  readonly #entries = new Map<string, Entry<T>>();

  /** @throws what `load` throws, when nothing usable is known. */
  async get(key: string, load: () => Promise<T>): Promise<T> {
    const known = this.#entries.get(key);
    const age = known ? Date.now() - known.loadedAt : Infinity;
    if (known && age < FRESH_MS) return known.value;
    try {
      return this.#put(key, await load());
    } catch (error) {
      if (known && age < STALE_MS) return known.value;
      throw error;
    }
  }

  /** After a change made here, so that it is seen here at once. */
  forget(key: string): void {
    this.#entries.delete(key);
  }

  /** What is not there is not remembered: made-up keys must not push out what keeps the hub working while D1 is away. */
  #put(key: string, value: T): T {
    this.#entries.delete(key);
    if (value === null) return value;
    this.#entries.set(key, { value, loadedAt: Date.now() });
    const oldest = this.#entries.size > MAX_ENTRIES ? this.#entries.keys().next().value : undefined;
    if (oldest !== undefined) this.#entries.delete(oldest);
    return value;
  }
}
