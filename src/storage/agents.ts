import { and, eq, isNull, sql } from 'drizzle-orm';
import { DirectoryCache } from './cache.ts';
import { dbOf, isOwned, type Statement } from './db.ts';
import { afterCursor, newestFirst, pageOf, type Page, type PageRequest } from './page.ts';
import { agents } from './schema.ts';
import type { Micros } from '../domain/time.ts';

export type Agent = typeof agents.$inferSelect;

const cache = new DirectoryCache<Agent | null>();

export const insertAgent = (env: Env, agent: Agent): Statement => dbOf(env).insert(agents).values(agent);

/** One agent of this customer that is not deleted, read without the cache. */
export async function findAgent(env: Env, customerId: string, id: string): Promise<Agent | null> {
  return (
    (
      await dbOf(env)
        .select()
        .from(agents)
        .where(isOwned(agents, customerId, id))
    )[0] ?? null
  );
}

/** The agents with these ids that are not deleted, in no particular order. */
export function findAgents(env: Env, customerId: string, ids: string[]): Promise<Agent[]> {
  const named = sql`${agents.id} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`;
  const mine = and(named, eq(agents.customerId, customerId), isNull(agents.deletedAt));
  return ids.length === 0 ? Promise.resolve([]) : Promise.resolve(dbOf(env).select().from(agents).where(mine));
}

/** The agent that a token names. Cached for a few seconds, and longer while D1 is unavailable. */
export const findSignedIn = (env: Env, id: string): Promise<Agent | null> =>
  cache.get(id, async () => (await dbOf(env).select().from(agents).where(notDeleted(id)))[0] ?? null);

const notDeleted = (id: string) => and(eq(agents.id, id), isNull(agents.deletedAt));

export const findByUsername = async (env: Env, username: string): Promise<Agent | null> =>
  (
    await dbOf(env)
      .select()
      .from(agents)
      .where(and(eq(agents.username, username), isNull(agents.deletedAt)))
  )[0] ?? null;

export async function listAgents(env: Env, customerId: string, request: PageRequest): Promise<Page<Agent>> {
  const where = and(eq(agents.customerId, customerId), isNull(agents.deletedAt), afterCursor(agents, request.cursor));
  const query = dbOf(env).select().from(agents).where(where);
  return pageOf(await query.orderBy(...newestFirst(agents)).limit(request.size + 1), request.size);
}

export type AgentChanges = Partial<Pick<Agent, 'name' | 'detail' | 'status'>>;

export const updateAgent = (env: Env, id: string, changes: AgentChanges, updatedAt: Micros): Statement =>
  dbOf(env)
    .update(agents)
    .set({ ...changes, updatedAt })
    .where(notDeleted(id));

type Rights = Partial<Pick<Agent, 'permission' | 'passwordHash'>>;

/** Changes an agent's permission or password and invalidates all of its tokens. */
export function changeRights(env: Env, id: string, rights: Rights, updatedAt: Micros): Statement {
  const tokenVersion = sql`${agents.tokenVersion} + 1`;
  return dbOf(env)
    .update(agents)
    .set({ ...rights, tokenVersion, updatedAt })
    .where(notDeleted(id));
}

/** Soft delete. The user name becomes free again: the row is renamed because of the unique index. */
export const deleteAgent = (env: Env, agent: Agent, deletedAt: Micros): Statement =>
  dbOf(env)
    .update(agents)
    .set({ username: `${agent.username}#${agent.id}`, deletedAt, updatedAt: deletedAt })
    .where(eq(agents.id, agent.id));

export const forgetAgent = (id: string): void => cache.forget(id);
