import { eq } from 'drizzle-orm';
import { DirectoryCache } from './cache.ts';
import { dbOf, type Statement } from './db.ts';
import { customers } from './schema.ts';
import { SECOND, type Micros } from '../domain/time.ts';

export type Customer = typeof customers.$inferSelect;

/** Spec section 3: 24 hours to idle, 30 days to closed. Seconds. */
export const DEFAULT_TIMEOUTS = { idleTimeoutS: 24 * 3600, closeTimeoutS: 30 * 24 * 3600 };

const cache = new DirectoryCache<Customer | null>();

export const insertCustomer = (env: Env, customer: Customer): Statement => dbOf(env).insert(customers).values(customer);

export const findCustomer = (env: Env, id: string): Promise<Customer | null> =>
  cache.get(id, async () => (await dbOf(env).select().from(customers).where(eq(customers.id, id)))[0] ?? null);

/** A customer's idle and close timeouts, in milliseconds. */
export async function findTimeouts(env: Env, id: string): Promise<{ idleMs: number; closeMs: number }> {
  const { idleTimeoutS, closeTimeoutS } = (await findCustomer(env, id)) ?? DEFAULT_TIMEOUTS;
  return { idleMs: idleTimeoutS * SECOND, closeMs: closeTimeoutS * SECOND };
}

export type CustomerChanges = Partial<Pick<Customer, 'name' | 'detail' | 'idleTimeoutS' | 'closeTimeoutS'>>;

export const updateCustomer = (env: Env, id: string, changes: CustomerChanges, updatedAt: Micros): Statement =>
  dbOf(env)
    .update(customers)
    .set({ ...changes, updatedAt })
    .where(eq(customers.id, id));

export const forgetCustomer = (id: string): void => cache.forget(id);
