import type { AppContext } from './context.ts';
import { ApiError } from './errors.ts';
import { actorOf } from '../domain/permissions.ts';
import { readOwnJson } from '../domain/log-row.ts';
import { sha256Hex } from '../security/encoding.ts';
import type { Statement } from '../storage/db.ts';
import { commitOnce, earlierAnswer, type IdempotencyScope, type Once } from '../storage/idempotency.ts';

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

const bodyOf = <T>(withIdempotencyKey: Once): T => {
  if (withIdempotencyKey.kind === 'reused') throw new ApiError('IDEMPOTENCY_KEY_REUSED');
  return readOwnJson<T>(withIdempotencyKey.body);
};

/**
 * A POST that writes to D1, once per Idempotency-Key: `make` gives the writes and the answer, and both are stored together.
 * A repeat is answered before `make` runs. `about`: the conversation whose people the answer names; their erasure ends the key.
 */
export async function withIdempotencyKey<T>(
  c: AppContext,
  make: () => Promise<{ statements: Statement[]; answer: T; about?: string }>,
  customer?: string,
): Promise<T> {
  const scope = await idempotencyOf(c, customer);
  const earlier = scope && (await earlierAnswer(c.env, scope, Date.now()));
  if (earlier) return bodyOf<T>(earlier);
  const { statements, answer, about } = await make();
  const kept = { body: JSON.stringify(answer), conversationId: about ?? null };
  return bodyOf<T>(await commitOnce(c.env, scope, statements, kept, Date.now()));
}
