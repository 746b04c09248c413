import { and, eq, isNull } from 'drizzle-orm';
import { DirectoryCache } from './cache.ts';
import { dbOf, isOwned, type Statement } from './db.ts';
import { afterCursor, newestFirst, pageOf, type Page, type PageRequest } from './page.ts';
import { accessKeys } from './schema.ts';
import { microsOf, type Micros } from '../domain/time.ts';

export type AccessKey = typeof accessKeys.$inferSelect;

const byHash = new DirectoryCache<AccessKey | null>();

export const insertAccessKey = (env: Env, key: AccessKey): Statement => dbOf(env).insert(accessKeys).values(key);

const notDeleted = (id: string) => and(eq(accessKeys.id, id), isNull(accessKeys.deletedAt));

export async function findAccessKey(env: Env, customerId: string, id: string): Promise<AccessKey | null> {
  return (
    (
      await dbOf(env)
        .select()
        .from(accessKeys)
        .where(isOwned(accessKeys, customerId, id))
    )[0] ?? null
  );
}

/** The key with this token hash, if it is neither revoked nor expired. Cached for a few seconds, and longer while D1 is unavailable. */
export async function findWorkingKey(env: Env, tokenHash: string): Promise<AccessKey | null> {
  const unrevoked = and(eq(accessKeys.tokenHash, tokenHash), isNull(accessKeys.deletedAt));
  const key = await byHash.get(
    tokenHash,
    async () => (await dbOf(env).select().from(accessKeys).where(unrevoked))[0] ?? null,
  );
  return key && key.expiresAt > microsOf(Date.now()) ? key : null;
}

export async function isKeyWorking(env: Env, id: string): Promise<boolean> {
  const key = (await dbOf(env).select().from(accessKeys).where(notDeleted(id)))[0];
  return key !== undefined && key.expiresAt > microsOf(Date.now());
}

export async function listAccessKeys(env: Env, customerId: string, request: PageRequest): Promise<Page<AccessKey>> {
  const mine = and(
    eq(accessKeys.customerId, customerId),
    isNull(accessKeys.deletedAt),
    afterCursor(accessKeys, request.cursor),
  );
  const query = dbOf(env).select().from(accessKeys).where(mine);
  return pageOf(await query.orderBy(...newestFirst(accessKeys)).limit(request.size + 1), request.size);
}

export const updateAccessKey = (
  env: Env,
  id: string,
  changes: { name?: string; detail?: string },
  updatedAt: Micros,
): Statement =>
  dbOf(env)
    .update(accessKeys)
    .set({ ...changes, updatedAt })
    .where(notDeleted(id));

export const revokeAccessKey = (env: Env, key: AccessKey, deletedAt: Micros): Statement =>
  dbOf(env).update(accessKeys).set({ deletedAt, updatedAt: deletedAt }).where(notDeleted(key.id));

export const forgetAccessKey = (key: AccessKey): void => byHash.forget(key.tokenHash);
