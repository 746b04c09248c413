import { and, eq, isNull, sql } from 'drizzle-orm';
import { findAssistant } from './assistants.ts';
import { DirectoryCache } from './cache.ts';
import { dbOf, isTaken, type Statement } from './db.ts';
import { afterCursor, newestFirst, pageOf, type Page, type PageRequest } from './page.ts';
import { accounts, assistants } from './schema.ts';
import { configOf } from '../env.ts';
import { NIL_UUID } from '../domain/ids.ts';
import type { Micros } from '../domain/time.ts';
import { defined } from '../domain/optional.ts';
import { seal, unseal } from '../security/secret-box.ts';

type Row = typeof accounts.$inferSelect;

/** An account with decrypted secrets. It never leaves memory: responses are built from named fields, never from the whole object. */
export type Account = Omit<Row, 'secretSealed' | 'tokenSealed'> & { secret: string; token: string };

/** Includes deleted accounts: their conversations still show who answered there. */
const cache = new DirectoryCache<Account | null>();

/** The row as D1 stores it. Sealing is separate from the insert, because an async function that returned a statement would run it. */
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

const notDeleted = (id: string) => and(eq(accounts.id, id), isNull(accounts.deletedAt));

export const insertAccount = (env: Env, sealed: Row): Statement => dbOf(env).insert(accounts).values(sealed);

const findIncludingDeleted = (env: Env, id: string): Promise<Account | null> =>
  cache.get(id, async () => openRow(env, (await dbOf(env).select().from(accounts).where(eq(accounts.id, id)))[0]));

/** The account of any customer, because a provider's hook names only the account. Cached for a few seconds, and longer while D1 is unavailable. */
export async function findAnyAccount(env: Env, id: string): Promise<Account | null> {
  const account = await findIncludingDeleted(env, id);
  return account?.deletedAt === null ? account : null;
}

/** A customer's other accounts of the same type, by one field of their provider data. Not cached, because webhooks about them are rare. */
export async function findSiblings(env: Env, of: Account, field: string, values: string[]): Promise<Account[]> {
  const isNamed = sql`${accounts.providerData} ->> ${field} IN (SELECT value FROM json_each(${JSON.stringify(values)}))`;
  const mine = and(eq(accounts.customerId, of.customerId), eq(accounts.type, of.type), isNull(accounts.deletedAt));
  const rows = await dbOf(env).select().from(accounts).where(and(mine, isNamed));
  const opened = await Promise.all(rows.filter(({ id }) => id !== of.id).map((row) => openRow(env, row)));
  return opened.filter((account) => account !== null);
}

export async function findAccount(env: Env, customerId: string, id: string): Promise<Account | null> {
  const account = await findAnyAccount(env, id);
  return account?.customerId === customerId ? account : null;
}

/** Without secrets, which a list does not need. */
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

const hasAssistant = and(eq(assistants.id, accounts.assistantId), isNull(assistants.deletedAt));

/** All accounts of one customer with their secrets, oldest first. */
export async function findAllAccounts(env: Env, customerId: string): Promise<Account[]> {
  const mine = and(eq(accounts.customerId, customerId), isNull(accounts.deletedAt));
  const rows = await dbOf(env).select().from(accounts).where(mine).orderBy(accounts.createdAt, accounts.id);
  const opened = await Promise.all(rows.map((row) => openRow(env, row)));
  return opened.filter((account) => account !== null);
}

const listed = new DirectoryCache<Account[]>();

/** The same as `findAllAccounts`, but cached for a few seconds, and longer while D1 is unavailable. */
export const knownAccounts = (env: Env, customerId: string): Promise<Account[]> =>
  listed.get(customerId, () => findAllAccounts(env, customerId));

/** The assistant of each of these accounts, deleted ones included. Accounts without an assistant are left out. */
export async function findAssistantIds(env: Env, customerId: string, ids: string[]): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map();
  const named = sql`${accounts.id} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`;
  const query = dbOf(env).select({ id: accounts.id, assistantId: assistants.id }).from(accounts);
  const rows = await query.innerJoin(assistants, hasAssistant).where(and(eq(accounts.customerId, customerId), named));
  return new Map(rows.map(({ id, assistantId }) => [id, assistantId]));
}

/** The assistant of one account. Cached for a few seconds, and longer while D1 is unavailable. */
export async function findAssistantId(env: Env, customerId: string, accountId: string): Promise<string | null> {
  const account = await findIncludingDeleted(env, accountId);
  if (account?.customerId !== customerId || account.assistantId === NIL_UUID) return null;
  return (await findAssistant(env, customerId, account.assistantId))?.id ?? null;
}

/** The accounts on which an assistant answers, including deleted ones, whose conversations remain. */
export async function findAnsweredBy(env: Env, customerId: string, assistantId: string): Promise<string[]> {
  const mine = and(eq(accounts.customerId, customerId), eq(accounts.assistantId, assistantId));
  const query = dbOf(env).select({ id: accounts.id }).from(accounts);
  return (await query.innerJoin(assistants, hasAssistant).where(mine)).map(({ id }) => id);
}

/** How a client of the voicebip dialect names one of its numbers. */
export interface Line {
  type: string;
  number: string;
  assistantId: string;
}

const byNumber = new DirectoryCache<string | null>();

/** The account with this type, number and assistant. Cached for a few seconds, and longer while D1 is unavailable. */
export async function findByNumber(env: Env, customerId: string, line: Line): Promise<string | null> {
  const key = JSON.stringify([customerId, line.type, line.number, line.assistantId]);
  const load = () => readByNumber(env, customerId, line);
  const id = await byNumber.get(key, load);
  const account = id === null ? null : await findAnyAccount(env, id);
  if (id === null || (account && matchesLine(account, line))) return id;
  // The account has changed since it was cached, possibly under another number.
  byNumber.forget(key);
  return byNumber.get(key, load);
}

const matchesLine = (account: Account, { number, assistantId }: Line): boolean =>
  account.providerData['number'] === number && account.assistantId === assistantId;

async function readByNumber(env: Env, customerId: string, line: Line): Promise<string | null> {
  const isNumber = sql`${accounts.providerData} ->> 'number' = ${line.number}`;
  const mine = and(eq(accounts.customerId, customerId), eq(accounts.type, line.type), isNull(accounts.deletedAt));
  const query = dbOf(env).select({ id: accounts.id }).from(accounts);
  return (await query.where(and(mine, isNumber, eq(accounts.assistantId, line.assistantId))))[0]?.id ?? null;
}

const byMailAddress = new DirectoryCache<string | null>();

/**
 * The e-mail account with this address, of any customer, because a mail names nothing else. Cached for a few seconds, and longer while D1
 * is unavailable.
 */
export async function findByMailAddress(env: Env, address: string): Promise<Account | null> {
  const id = await byMailAddress.get(address, () => readByMailAddress(env, address));
  const account = id === null ? null : await findAnyAccount(env, id);
  if (account?.providerData['address'] === address || id === null) return account;
  byMailAddress.forget(address);
  return null;
}

/** Whether a write failed because another account has this e-mail address. */
export const isMailAddressTaken = (error: unknown): boolean => isTaken(error, "index 'accounts_mail_address'");

async function readByMailAddress(env: Env, address: string): Promise<string | null> {
  const isAddress = sql`${accounts.providerData} ->> 'address' = ${address}`;
  const query = dbOf(env).select({ id: accounts.id }).from(accounts);
  return (await query.where(and(eq(accounts.type, 'email'), isAddress, isNull(accounts.deletedAt))))[0]?.id ?? null;
}

/** The current row, read from D1 without the cache, so that an update does not undo a concurrent one. */
export async function findAccountNow(env: Env, customerId: string, id: string): Promise<Account | null> {
  cache.forget(id);
  return findAccount(env, customerId, id);
}

/** Updates only the given fields. Secrets are given in plain text and stored sealed. */
export type AccountChanges = Partial<
  Pick<Account, 'name' | 'detail' | 'messageFlowId' | 'assistantId' | 'fallback' | 'secret' | 'token' | 'providerData'>
>;

export async function updateAccount(env: Env, id: string, changes: AccountChanges, updatedAt: Micros): Promise<void> {
  const { secret, token, ...plain } = changes;
  const key = configOf(env).ENCRYPTION_KEY;
  const sealed = defined({
    secretSealed: secret === undefined ? undefined : await seal(secret, key),
    tokenSealed: token === undefined ? undefined : await seal(token, key),
  });
  await dbOf(env)
    .update(accounts)
    .set({ ...plain, ...sealed, updatedAt })
    .where(notDeleted(id));
  cache.forget(id);
}

export async function deleteAccount(env: Env, id: string, deletedAt: Micros): Promise<void> {
  await dbOf(env).update(accounts).set({ deletedAt, updatedAt: deletedAt }).where(notDeleted(id));
  cache.forget(id);
}
