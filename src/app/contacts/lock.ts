import type { Refusal } from '../../domain/errors.ts';
import { err, type Result } from '../../domain/result.ts';
import { callObject, getDirectory } from '../../objects/stubs.ts';

/** Longer than any merger or move takes. */
const LEASE_MS = 30_000;
/** In milliseconds, between the attempts to get the lock: a few seconds in all. */
const WAITS = [25, 50, 100, 200, 400, 800, 1600, 3200];

/** Proof that the caller holds the lock of one customer: only this file can make one. */
class HeldLock {
  readonly customerId: string;
  readonly #holder: string;

  constructor(customerId: string, holder: string) {
    this.customerId = customerId;
    this.#holder = holder;
  }

  acquire(env: Env): Promise<boolean> {
    return callObject(() => getDirectory(env, this.customerId).lease(this.#holder, LEASE_MS));
  }

  release(env: Env): Promise<void> {
    return callObject(() => getDirectory(env, this.customerId).endLease(this.#holder));
  }
}

export type CustomerLock = HeldLock;

/**
 * Runs mergers, their undoing and moves of addresses one at a time in all of a customer: each spans several conversations, and two that
 * cross would send each of two conversations on into the other. Refused with SERVICE_UNAVAILABLE when others hold the lock for too long.
 */
export async function withCustomerLock<T>(
  env: Env,
  customerId: string,
  work: (lock: CustomerLock) => Promise<Result<T, Refusal>>,
): Promise<Result<T, Refusal>> {
  const lock = new HeldLock(customerId, crypto.randomUUID());
  if (!(await acquired(env, lock))) return err({ code: 'SERVICE_UNAVAILABLE' });
  try {
    return await work(lock);
  } finally {
    // The work is done also where this fails: the lease ends by itself.
    await lock.release(env).catch(() => undefined);
  }
}

async function acquired(env: Env, lock: HeldLock): Promise<boolean> {
  for (const wait of [...WAITS, 0]) {
    if (await lock.acquire(env)) return true;
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
  return false;
}
