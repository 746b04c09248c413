import { and, desc, eq, gt, isNull, sql, type SQL } from 'drizzle-orm';
import { dbOf } from './db.ts';
import { afterCursor, newestFirst, pageOf, type Page, type PageRequest } from './page.ts';
import { contactMemberships, conversations, searchTexts } from './schema.ts';
import type { ConversationState } from '../domain/conversation/state.ts';
import { readConversation } from '../domain/conversation/events.ts';
import type { Micros } from '../domain/time.ts';

/** All given filters must match. */
export interface ConversationFilter {
  ownerId?: string;
  type?: string;
  lifecycle?: string;
  tag?: string;
  archived?: boolean;
  accountId?: string;
  /** Any of these accounts. */
  accountIds?: string[];
  peer?: string;
  /** A search expression (domain/conversation/search.ts) over messages, names and addresses. */
  search?: string | undefined;
}

/** A customer's conversations, newest first, from D1, which follows the objects within a second. */
export async function listConversations(
  env: Env,
  customerId: string,
  filter: ConversationFilter,
  request: PageRequest,
): Promise<Page<ConversationState>> {
  const page = pageOf(await newestOf(env, customerId, filter, request), request.size);
  return { ...page, rows: page.rows.map((row) => readConversation(row.data)) };
}

/** One row more than the page, to know whether another page follows. */
export function newestOf(env: Env, customerId: string, filter: ConversationFilter, { size, cursor }: PageRequest) {
  const mine = and(eq(conversations.customerId, customerId), isNull(conversations.deletedAt));
  const where = and(mine, ...conditions(filter), afterCursor(conversations, cursor));
  const { accountIds } = filter;
  const { id, createdAt, data } = conversations;
  const query = dbOf(env)
    .select({ id, createdAt, data })
    .from(conversations)
    .where(accountIds === undefined ? where : isNewestOn(accountIds, where, size + 1));
  return query.orderBy(...newestFirst(conversations)).limit(size + 1);
}

/**
 * Reads one page per account through the index and merges them. For a plain IN, SQLite would scan the conversations of all other accounts
 * too, or sort all of these.
 */
const isNewestOn = (accountIds: string[], where: SQL | undefined, count: number): SQL =>
  sql`${conversations.id} IN (
    SELECT newest.id FROM json_each(${JSON.stringify(accountIds)}) AS account CROSS JOIN conversations AS newest
    WHERE newest.id IN (
      SELECT id FROM conversations WHERE ${where} AND account_id = account.value
      ORDER BY created_at DESC, id DESC LIMIT ${count}))`;

const conditions = (filter: ConversationFilter): SQL[] => [
  ...(filter.ownerId === undefined ? [] : [eq(conversations.ownerId, filter.ownerId)]),
  ...(filter.type === undefined ? [] : [eq(conversations.type, filter.type)]),
  ...(filter.lifecycle === undefined ? [] : [eq(conversations.lifecycle, filter.lifecycle)]),
  ...(filter.accountId === undefined ? [] : [eq(conversations.accountId, filter.accountId)]),
  ...(filter.peer === undefined ? [] : [isWith(filter.peer)]),
  ...(filter.tag === undefined ? [] : [hasTag(filter.tag)]),
  ...(filter.archived === undefined ? [] : [isArchived(filter.archived)]),
  ...(filter.search === undefined ? [] : [isFoundBy(filter.search)]),
];

/**
 * Matches the peer of any binding and any address that the people hold. `parked` is the first release's name of `inactiveBindings`: its
 * rows keep that name until their conversation changes (domain/conversation/identity/stored-state.ts).
 */
const isWith = (peer: string): SQL =>
  sql`(${conversations.peerTarget} = ${peer}
    OR EXISTS (SELECT 1 FROM ${contactMemberships} AS membership, json_each(membership.addresses) AS held
      WHERE membership.conversation_id = ${conversations.id} AND held.value ->> 'target' = ${peer})
    OR EXISTS (SELECT 1 FROM json_each(coalesce(${conversations.data} -> '$.inactiveBindings', ${conversations.data} -> '$.parked')) AS binding
      WHERE binding.value ->> '$.peer.target' = ${peer}))`;

const isFoundBy = (expression: string): SQL =>
  sql`${conversations.id} IN (SELECT ${searchTexts.conversationId} FROM search JOIN ${searchTexts} ON ${searchTexts.id} = search.rowid WHERE search MATCH ${expression})`;

const isArchived = (archived: boolean): SQL =>
  sql`coalesce(${conversations.data} ->> '$.archived', 0) = ${archived ? 1 : 0}`;

const hasTag = (tag: string): SQL =>
  sql`EXISTS (SELECT 1 FROM json_each(${conversations.data}, '$.tags') AS tag WHERE tag.value = ${tag})`;

/** The ids of conversations with activity since then, latest first, for the cron's backstop. */
export async function recentlyActive(env: Env, since: Micros, limit: number): Promise<string[]> {
  const query = dbOf(env).select({ id: conversations.id }).from(conversations).where(gt(conversations.activeAt, since));
  return (await query.orderBy(desc(conversations.activeAt)).limit(limit)).map((row) => row.id);
}
