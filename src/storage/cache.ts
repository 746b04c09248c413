import type { Millis } from '../domain/time.ts';

/** Short enough for a revocation to take effect within the 5 s of spec section 2, wherever it was made. */
const FRESH_MS: Millis = 3000;
/** While D1 does not respond, cached rows stay usable. */
const STALE_MS: Millis = 60 * 60 * 1000;
const MAX_ENTRIES = 5000;

interface Entry<T> {
  value: T;
  loadedAt: Millis;
}

/** Directory rows that this isolate read in the last few seconds: one D1 query serves many requests, and none are made while D1 is unavailable. */
export class DirectoryCache<T> {
  readonly #entries = new Map<string, Entry<T>>();

  /** @throws what `load` throws, if nothing usable is cached. */
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

  /** Called after a change made in this isolate, so that it takes effect here immediately. */
  forget(key: string): void {
    this.#entries.delete(key);
  }

  /** Misses are not cached: made-up keys must not evict the rows that keep the hub working while D1 is unavailable. */
  #put(key: string, value: T): T {
    this.#entries.delete(key);
    if (value === null) return value;
    this.#entries.set(key, { value, loadedAt: Date.now() });
    const oldest = this.#entries.size > MAX_ENTRIES ? this.#entries.keys().next().value : undefined;
    if (oldest !== undefined) this.#entries.delete(oldest);
    return value;
  }
}
