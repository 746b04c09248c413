import type { AppContext } from './context.ts';
import { ApiError } from './errors.ts';
import { readOwnJson } from '../domain/events.ts';
import { actorOf } from '../domain/permissions.ts';
import { errorName, log } from '../log.ts';
import { sha256Hex } from '../security/encoding.ts';
import { dbOf, runBatch, type Statement } from '../storage/db.ts';
import {
  commitAnswer,
  endLease,
  noteConversation,
  releaseKey,
  renewLease,
  RENEW_MS,
  reserve,
  type Attempt,
  type IdempotencyScope,
  type Kept,
  type Reservation,
} from '../storage/idempotency.ts';

/**
 * The request's Idempotency-Key with the hash of who asks for what; null when it has none. Keys of one customer are apart from
 * those of another; `scope` stands for the customer where there is none yet.
 */
export async function idempotencyOf(c: AppContext, scope?: string): Promise<IdempotencyScope | null> {
  const key = c.req.header('idempotency-key');
  if (key === undefined) return null;
  const who = scope ?? JSON.stringify(actorOf(c.get('principal')));
  const fingerprint = await sha256Hex(`${who} ${c.req.method} ${c.req.path}\n${await c.req.text()}`);
  return { customerId: scope ?? c.get('principal').customerId, key, fingerprint };
}

/** What a request's work does, and what it needs to know of earlier attempts at it. */
export interface KeyedWork<T> {
  /** Writes to D1 that are committed together with the answer. */
  statements?: Statement[];
  answer: T;
  /** The conversation whose people the answer names: their erasure ends the key. */
  about?: string;
}

export interface KeyedRequest {
  /** The conversation to which an attempt sent the request that did not come to its end: it may have been done there. */
  wentTo: string | null;
  /** To be called before the request goes to a conversation that it does not name itself. */
  goesTo: (conversationId: string) => Promise<void>;
}

const UNKEYED: KeyedRequest = { wentTo: null, goesTo: () => Promise.resolve() };

/** In milliseconds, between the looks at an attempt that runs. Longer in all than the lease of one that has crashed. */
const WAITS = [25, 50, 100, 200, 400, 800, 1000, 1000, 1000];
const RETRY_AFTER_S = '5';

/** The attempt was away for longer than its lease, and another one has the key. */
class LeaseLost extends Error {}

/**
 * Runs a POST once per Idempotency-Key, also when several come at once: the first reserves the key, the others wait for its answer.
 * What is refused releases the key. What crashes holds it until its lease ends; then a repeat runs `work` again, which must therefore
 * be repeatable, or make what it makes by ids that are the same each time.
 * @throws 409 IDEMPOTENCY_KEY_REUSED for another request under the key, 409 IDEMPOTENCY_KEY_IN_USE with Retry-After while the first runs on.
 */
export async function withIdempotencyKey<T>(
  c: AppContext,
  work: (request: KeyedRequest) => Promise<KeyedWork<T>>,
  customer?: string,
): Promise<T> {
  const scope = await idempotencyOf(c, customer);
  if (!scope) {
    const { statements = [], answer } = await work(UNKEYED);
    await runBatch(dbOf(c.env), statements);
    return answer;
  }
  const attempt = { scope, holder: crypto.randomUUID() };
  for (const wait of [...WAITS, 0]) {
    const found = await reserved(c.env, attempt);
    if (found.kind === 'reused') throw new ApiError('IDEMPOTENCY_KEY_REUSED');
    if (found.kind === 'answered') return readOwnJson<T>(found.body);
    const done = found.kind === 'reserved' ? await run(c.env, attempt, found.conversationId, work) : null;
    if (done) return done.answer;
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
  throw new ApiError('IDEMPOTENCY_KEY_IN_USE', undefined, undefined, { 'Retry-After': RETRY_AFTER_S });
}

/** What D1 may have reserved without being able to say so is released. */
async function reserved(env: Env, attempt: Attempt): Promise<Reservation> {
  try {
    return await reserve(env, attempt, Date.now());
  } catch (error) {
    await releaseKey(env, attempt).catch(() => undefined);
    throw error;
  }
}

/** Null: another attempt has the key, and nothing was written. */
async function run<T>(
  env: Env,
  attempt: Attempt,
  wentTo: string | null,
  work: (request: KeyedRequest) => Promise<KeyedWork<T>>,
): Promise<{ answer: T } | null> {
  let destination = wentTo;
  const goesTo = async (conversationId: string) => {
    if (!(await noteConversation(env, attempt, conversationId))) throw new LeaseLost();
    destination = conversationId;
  };
  const renewal = setInterval(() => void renewLease(env, attempt, Date.now()).catch(() => undefined), RENEW_MS);
  try {
    const { statements = [], answer, about = null } = await work({ wentTo, goesTo });
    const kept = { body: JSON.stringify(answer), conversationId: about };
    const isOurs =
      statements.length === 0
        ? await keptIfPossible(env, attempt, kept)
        : await commitAnswer(env, attempt, statements, kept);
    return isOurs ? { answer } : null;
  } catch (error) {
    if (error instanceof LeaseLost) return null;
    const isRefused = error instanceof ApiError || destination === null;
    // Where this fails too, the lease ends by itself.
    await (isRefused ? releaseKey : endLease)(env, attempt).catch(() => undefined);
    throw error;
  } finally {
    clearInterval(renewal);
  }
}

/** The work is done, outside D1: the client hears of it also when D1 cannot keep the answer, or an erasure has ended the key. */
async function keptIfPossible(env: Env, attempt: Attempt, kept: Kept): Promise<true> {
  try {
    await commitAnswer(env, attempt, [], kept);
  } catch (error) {
    log('warn', 'an answer was not kept under its Idempotency-Key', { error: errorName(error) });
  }
  return true;
}
