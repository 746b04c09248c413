import { and, eq, lte, sql } from 'drizzle-orm';
import { dbOf, runBatch, type Statement } from './db.ts';
import { idempotencyKeys } from './schema.ts';
import { configOf } from '../env.ts';
import { HOUR, SECOND, type Millis } from '../domain/time.ts';
import { seal, unseal } from '../security/secret-box.ts';

export interface IdempotencyScope {
  customerId: string;
  key: string;
  fingerprint: string;
}

/** One attempt at the request with this key. */
export interface Attempt {
  scope: IdempotencyScope;
  /** Random for each attempt: once another attempt has taken over the lease, this one cannot change the row. */
  holder: string;
}

export type Reservation =
  /** The caller must run the request. `conversationId`: where an earlier, unfinished attempt sent it. */
  | { kind: 'reserved'; conversationId: string | null }
  | { kind: 'answered'; body: string }
  /** Another attempt is running. */
  | { kind: 'running' }
  /** The key was used with another request. */
  | { kind: 'reused' };

const KEY_LIFE_MS = 24 * HOUR;

/** After a crash a repeat has to wait until the lease ends, so the lease is short and a longer attempt renews it. */
const LEASE_MS = 3 * SECOND;
export const RENEW_MS = SECOND;

/** Reserves the key, or returns its state. One statement decides, so exactly one of any number of concurrent attempts gets `reserved`. */
export async function reserve(env: Env, { scope, holder }: Attempt, now: Millis): Promise<Reservation> {
  const db = dbOf(env);
  const isExpired = sql`${idempotencyKeys.expiresMs} <= ${now}`;
  const isCrashed = sql`${idempotencyKeys.holder} <> '' AND ${idempotencyKeys.leaseMs} <= ${now} AND ${idempotencyKeys.fingerprint} = ${scope.fingerprint}`;
  const running = { holder, leaseMs: now + LEASE_MS, answerSealed: '', expiresMs: now + KEY_LIFE_MS };
  const insert = db
    .insert(idempotencyKeys)
    .values({ ...scope, ...running })
    .onConflictDoUpdate({
      target: [idempotencyKeys.customerId, idempotencyKeys.key],
      set: {
        ...running,
        fingerprint: scope.fingerprint,
        conversationId: sql`CASE WHEN ${isExpired} THEN NULL ELSE ${idempotencyKeys.conversationId} END`,
      },
      setWhere: sql`${isExpired} OR (${isCrashed})`,
    });
  const [, [row]] = await db.batch([insert, db.select().from(idempotencyKeys).where(isKey(scope))]);
  if (!row) throw new Error('the idempotency key was inserted, but cannot be read');
  if (row.holder === holder) return { kind: 'reserved', conversationId: row.conversationId };
  if (row.fingerprint !== scope.fingerprint) return { kind: 'reused' };
  if (row.holder !== '') return { kind: 'running' };
  return { kind: 'answered', body: await unseal(row.answerSealed, configOf(env).ENCRYPTION_KEY) };
}

const isKey = (scope: IdempotencyScope) =>
  and(eq(idempotencyKeys.customerId, scope.customerId), eq(idempotencyKeys.key, scope.key));

const isHeld = ({ scope, holder }: Attempt) => and(isKey(scope), eq(idempotencyKeys.holder, holder));

export const renewLease = (env: Env, attempt: Attempt, now: Millis): Promise<unknown> =>
  dbOf(env)
    .update(idempotencyKeys)
    .set({ leaseMs: now + LEASE_MS })
    .where(isHeld(attempt))
    .run();

/** Records the conversation before the request is sent to it. False: another attempt holds the key now. */
export async function noteConversation(env: Env, attempt: Attempt, conversationId: string): Promise<boolean> {
  const noted = await dbOf(env).update(idempotencyKeys).set({ conversationId }).where(isHeld(attempt)).run();
  return noted.meta.changes > 0;
}

/** The answer that is stored under a key. */
export interface Kept {
  body: string;
  /** The conversation whose people the answer names, or null. */
  conversationId: string | null;
}

/**
 * Runs the writes and stores the answer under the key, in one batch.
 * False, with nothing written, if the attempt no longer holds the key.
 */
export async function commitAnswer(
  env: Env,
  attempt: Attempt,
  statements: Statement[],
  { body, conversationId }: Kept,
): Promise<boolean> {
  const answerSealed = await seal(body, configOf(env).ENCRYPTION_KEY);
  // NULL if the key is not held: the column rejects it, and so the whole batch fails.
  const released = sql`(SELECT '' FROM ${idempotencyKeys} WHERE ${isHeld(attempt)})`;
  const answered = { answerSealed, conversationId, holder: released, leaseMs: 0 };
  const keep = dbOf(env)
    .insert(idempotencyKeys)
    .values({ ...attempt.scope, ...answered, expiresMs: 0 })
    .onConflictDoUpdate({ target: [idempotencyKeys.customerId, idempotencyKeys.key], set: answered });
  try {
    await runBatch(dbOf(env), [keep, ...statements]);
    return true;
  } catch (error) {
    if (isNotHeldError(error)) return false;
    throw error;
  }
}

/** D1 names the violated constraint only in the error text. */
function isNotHeldError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.message.includes('NOT NULL constraint failed: idempotency_keys.holder') || isNotHeldError(error.cause);
}

/** The attempt failed and left nothing behind: the key is free, also for another request. */
export const releaseKey = (env: Env, attempt: Attempt): Promise<unknown> =>
  dbOf(env).delete(idempotencyKeys).where(isHeld(attempt)).run();

/** The attempt failed in an unknown state: the next one may run immediately, and learns where this one sent the request. */
export const endLease = (env: Env, attempt: Attempt): Promise<unknown> =>
  dbOf(env).update(idempotencyKeys).set({ leaseMs: 0 }).where(isHeld(attempt)).run();

export const dropExpiredKeys = (env: Env, now: Millis): Statement =>
  dbOf(env).delete(idempotencyKeys).where(lte(idempotencyKeys.expiresMs, now));
