import { and, eq, lt, sql } from 'drizzle-orm';
import { dbOf, type Statement } from './db.ts';
import { loginFailures } from './schema.ts';
import { MINUTE, type Millis } from '../domain/time.ts';

const minuteOf = (now: Millis): number => Math.floor(now / MINUTE);

/**
 * Counts an attempt before its password is checked, so that concurrent guesses are counted too.
 * @returns the number of attempts in this minute, including this one.
 */
export async function countAttempt(env: Env, username: string, now: Millis): Promise<number> {
  const row = { username, minute: minuteOf(now), count: 1 };
  const counted = dbOf(env).insert(loginFailures).values(row);
  const grow = {
    target: [loginFailures.username, loginFailures.minute],
    set: { count: sql`${loginFailures.count} + 1` },
  };
  const [result] = await counted.onConflictDoUpdate(grow).returning({ count: loginFailures.count });
  return result?.count ?? 1;
}

/** Takes back the count of an attempt with the right password. */
export async function forgiveAttempt(env: Env, username: string, now: Millis): Promise<void> {
  const counted = and(eq(loginFailures.username, username), eq(loginFailures.minute, minuteOf(now)));
  await dbOf(env)
    .update(loginFailures)
    .set({ count: sql`${loginFailures.count} - 1` })
    .where(counted);
}

export const dropOldFailures = (env: Env, now: Millis): Statement =>
  dbOf(env)
    .delete(loginFailures)
    .where(lt(loginFailures.minute, minuteOf(now)));
