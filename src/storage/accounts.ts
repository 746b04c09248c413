import { and, eq, isNull } from 'drizzle-orm';
import { DirectoryCache } from './cache.ts';
import { dbOf, type Statement } from './db.ts';
import { afterCursor, newestFirst, pageOf, type Page, type PageRequest } from './page.ts';
import { accounts } from './schema.ts';
import { configOf } from '../env.ts';
import type { Micros } from '../domain/time.ts';
import { seal, unseal } from '../security/secret-box.ts';

type Row = typeof accounts.$inferSelect;

/** An account with its secrets in clear. It stays in memory: responses are made from named fields, never from the whole. */
export type Account = Omit<Row, 'secretSealed' | 'tokenSealed'> & { secret: string; token: string };

const cache = new DirectoryCache<Account | null>();

/** The row as D1 keeps it. Sealed apart from the insert: an async function that returned a statement would run it. */
export async function sealAccount(env: Env, account: Account): Promise<Row> {
  const { secret, token, ...row } = account;
  const key = configOf(env).ENCRYPTION_KEY;
  return { ...row, secretSealed: await seal(secret, key), tokenSealed: await seal(token, key) };
}

async function openRow(env: Env, row: Row | undefined): Promise<Account | null> {
  if (!row) return null;
  const { secretSealed, tokenSealed, ...account } = row;
  const key = configOf(env).ENCRYPTION_KEY;
  return { ...account, secret: await unseal(secretSealed, key), token: await unseal(tokenSealed, key) };
}

const living = (id: string) => and(eq(accounts.id, id), isNull(accounts.deletedAt));

export const insertAccount = (env: Env, sealed: Row): Statement => dbOf(env).insert(accounts).values(sealed);

/** Whoever's it is: a provider's hook names the account alone. At most a few seconds old, also while D1 is away. */
export const findAnyAccount = (env: Env, id: string): Promise<Account | null> =>
  cache.get(id, async () => openRow(env, (await dbOf(env).select().from(accounts).where(living(id)))[0]));

export async function findAccount(env: Env, customerId: string, id: string): Promise<Account | null> {
  const account = await findAnyAccount(env, id);
  return account?.customerId === customerId ? account : null;
}

/** Without secrets: a list has no use for them. */
export type ListedAccount = Omit<Account, 'secret' | 'token'>;

export async function listAccounts(env: Env, customerId: string, request: PageRequest): Promise<Page<ListedAccount>> {
  const mine = and(
    eq(accounts.customerId, customerId),
    isNull(accounts.deletedAt),
    afterCursor(accounts, request.cursor),
  );
  const query = dbOf(env).select().from(accounts).where(mine);
  return pageOf(await query.orderBy(...newestFirst(accounts)).limit(request.size + 1), request.size);
}

/** The account as D1 has it now, for a change that must not bring back what somebody else has just changed. */
export async function findAccountNow(env: Env, customerId: string, id: string): Promise<Account | null> {
  cache.drop(id);
  return findAccount(env, customerId, id);
}

/** Only what is named; the secrets are named in clear and stored sealed. */
export type AccountChanges = Partial<
  Pick<Account, 'name' | 'detail' | 'messageFlowId' | 'assistantId' | 'secret' | 'token' | 'providerData'>
>;

export async function updateAccount(env: Env, id: string, changes: AccountChanges, updatedAt: Micros): Promise<void> {
  const { secret, token, ...plain } = changes;
  const key = configOf(env).ENCRYPTION_KEY;
  const sealed = {
    ...(secret === undefined ? {} : { secretSealed: await seal(secret, key) }),
    ...(token === undefined ? {} : { tokenSealed: await seal(token, key) }),
  };
  await dbOf(env)
    .update(accounts)
    .set({ ...plain, ...sealed, updatedAt })
    .where(living(id));
  cache.drop(id);
}

export async function deleteAccount(env: Env, id: string, deletedAt: Micros): Promise<void> {
  await dbOf(env).update(accounts).set({ deletedAt, updatedAt: deletedAt }).where(living(id));
  cache.drop(id);
}
