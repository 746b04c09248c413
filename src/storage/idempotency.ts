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

/** One attempt at the request of a key. */
export interface Attempt {
  scope: IdempotencyScope;
  /** Made up for each attempt: what an attempt does after its lease has gone to another one has no effect on the row. */
  holder: string;
}

export type Reservation =
  /** The caller is to run the request. `conversationId`: where an earlier attempt that did not come to its end has sent it. */
  | { kind: 'reserved'; conversationId: string | null }
  | { kind: 'answered'; body: string }
  /** Another attempt runs. */
  | { kind: 'running' }
  /** The key belongs to another request. */
  | { kind: 'reused' };

const KEY_LIFE_MS = 24 * HOUR;

/** After a crash a repeat has to wait for the rest of it, so it is short, and an attempt that takes longer renews it. */
const LEASE_MS = 3 * SECOND;
export const RENEW_MS = SECOND;

/** Reserves the key, or tells what has become of it. One statement decides, so of any number at once one is `reserved`. */
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
  if (!row) throw new Error('a key that was just inserted is not there');
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

/** Notes where the request goes, before it goes there. False: another attempt has the key now. */
export async function noteConversation(env: Env, attempt: Attempt, conversationId: string): Promise<boolean> {
  const noted = await dbOf(env).update(idempotencyKeys).set({ conversationId }).where(isHeld(attempt)).run();
  return noted.meta.changes > 0;
}

/** What is kept under a key. */
export interface Kept {
  body: string;
  /** Whose people it names, or null. */
  conversationId: string | null;
}

/**
 * Runs the writes and keeps the answer under the key in one batch: there is no moment at which one is there without the other.
 * False, with nothing written: the attempt does not hold the key any more.
 */
export async function commitAnswer(
  env: Env,
  attempt: Attempt,
  statements: Statement[],
  { body, conversationId }: Kept,
): Promise<boolean> {
  const answerSealed = await seal(body, configOf(env).ENCRYPTION_KEY);
  // NULL where the key is not held: the column refuses it, and the batch with it.
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
    if (isRefusedNull(error)) return false;
    throw error;
  }
}

/** D1 tells it in words only. */
function isRefusedNull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.message.includes('NOT NULL constraint failed: idempotency_keys.holder') || isRefusedNull(error.cause);
}

/** The attempt has failed and left nothing: its key is free, for another request too. */
export const releaseKey = (env: Env, attempt: Attempt): Promise<unknown> =>
  dbOf(env).delete(idempotencyKeys).where(isHeld(attempt)).run();

/** The attempt has failed, and what it did is not known: the next one may run at once, and is told where this one went. */
export const endLease = (env: Env, attempt: Attempt): Promise<unknown> =>
  dbOf(env).update(idempotencyKeys).set({ leaseMs: 0 }).where(isHeld(attempt)).run();

export const dropExpiredKeys = (env: Env, now: Millis): Statement =>
  dbOf(env).delete(idempotencyKeys).where(lte(idempotencyKeys.expiresMs, now));
