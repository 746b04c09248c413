import { ApiError } from './errors.ts';
import { callObject, getDirectory } from '../objects/stubs.ts';

/** Longer than any rearrangement takes. */
const LEASE_MS = 30_000;
/** In milliseconds, until somebody else has ended: a few seconds in all. */
const WAITS = [25, 50, 100, 200, 400, 800, 1600, 3200];
const RETRY_AFTER_S = '5';

/**
 * Mergers, their undoing and moves, one at a time in all of a customer: each spans several conversations, and two that cross would send
 * each of two conversations on into the other. @throws 503 when others do not come to their end.
 */
export async function withCustomerLock<T>(env: Env, customerId: string, work: () => Promise<T>): Promise<T> {
  const holder = crypto.randomUUID();
  await leased(env, customerId, holder);
  try {
    return await work();
  } finally {
    // What was done is done, also where this fails: the lease ends by itself.
    await callObject(() => getDirectory(env, customerId).endLease(holder)).catch(() => undefined);
  }
}

async function leased(env: Env, customerId: string, holder: string): Promise<void> {
  for (const wait of [...WAITS, 0]) {
    if (await callObject(() => getDirectory(env, customerId).lease(holder, LEASE_MS))) return;
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
  throw new ApiError('SERVICE_UNAVAILABLE', undefined, undefined, { 'Retry-After': RETRY_AFTER_S });
}
