import { and, eq, lte } from 'drizzle-orm';
import { dbOf, isTaken, runBatch, type Statement } from './db.ts';
import { idempotencyKeys } from './schema.ts';
import { configOf } from '../env.ts';
import { HOUR, type Millis } from '../domain/time.ts';
import { seal, unseal } from '../security/secret-box.ts';

export interface IdempotencyScope {
  customerId: string;
  key: string;
  fingerprint: string;
}

export type Once = { kind: 'answer'; body: string } | { kind: 'reused' };

const KEY_LIFE_MS = 24 * HOUR;

/** What an earlier request with this key was answered, or that it was another request. Null: the key is new. */
export async function earlierAnswer(env: Env, scope: IdempotencyScope, now: Millis): Promise<Once | null> {
  const row = (await dbOf(env).select().from(idempotencyKeys).where(isKey(scope)))[0];
  if (!row || row.expiresMs <= now) return null;
  if (row.fingerprint !== scope.fingerprint) return { kind: 'reused' };
  return { kind: 'answer', body: await unseal(row.answerSealed, configOf(env).ENCRYPTION_KEY) };
}

const isKey = (scope: IdempotencyScope) =>
  and(eq(idempotencyKeys.customerId, scope.customerId), eq(idempotencyKeys.key, scope.key));

/** What is kept under a key. */
export interface Kept {
  body: string;
  /** Whose people it names; null: it names none. */
  conversationId: string | null;
}

/**
 * Runs the writes and keeps the answer under the key, in one batch: there is no moment at which one is there without the other.
 * Of several requests with one key at once, one writes; the others get its answer.
 */
export async function commitOnce(
  env: Env,
  scope: IdempotencyScope | null,
  statements: Statement[],
  kept: Kept,
  now: Millis,
): Promise<Once> {
  const { body } = kept;
  if (!scope) {
    await runBatch(dbOf(env), statements);
    return { kind: 'answer', body };
  }
  try {
    await runBatch(dbOf(env), [...(await keyStatements(env, scope, kept, now)), ...statements]);
    return { kind: 'answer', body };
  } catch (error) {
    const earlier = isTaken(error, 'idempotency_keys') ? await earlierAnswer(env, scope, now) : null;
    if (earlier) return earlier;
    throw error;
  }
}

async function keyStatements(
  env: Env,
  scope: IdempotencyScope,
  { body, conversationId }: Kept,
  now: Millis,
): Promise<Statement[]> {
  const db = dbOf(env);
  const answerSealed = await seal(body, configOf(env).ENCRYPTION_KEY);
  return [
    db.delete(idempotencyKeys).where(and(isKey(scope), lte(idempotencyKeys.expiresMs, now))),
    db.insert(idempotencyKeys).values({ ...scope, answerSealed, conversationId, expiresMs: now + KEY_LIFE_MS }),
  ];
}

export const dropExpiredKeys = (env: Env, now: Millis): Statement =>
  dbOf(env).delete(idempotencyKeys).where(lte(idempotencyKeys.expiresMs, now));
