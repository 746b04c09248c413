import { and, eq, isNull, lt, sql } from 'drizzle-orm';
import { dbOf } from './db.ts';
import { erasures, mediaUses } from './schema.ts';
import type { Micros } from '../domain/time.ts';

export type Erasure = typeof erasures.$inferSelect;

export const insertErasure = (env: Env, erasure: Erasure): Promise<unknown> =>
  dbOf(env).insert(erasures).values(erasure);

export const finishErasure = (env: Env, { id, messages, files, doneAt }: Erasure): Promise<unknown> =>
  dbOf(env).update(erasures).set({ messages, files, doneAt }).where(eq(erasures.id, id));

/** Those that broke off. */
export const openErasures = (env: Env, before: Micros, limit: number): Promise<Erasure[]> =>
  dbOf(env)
    .select()
    .from(erasures)
    .where(and(isNull(erasures.doneAt), lt(erasures.createdAt, before)))
    .limit(limit);

const DELETED: [table: string, key: string][] = [
  ['messages', 'conversation_id'],
  ['conversations', 'id'],
  ['events', 'source_id'],
  ['webhook_deliveries', 'source_id'],
  ['search_texts', 'conversation_id'],
  ['sandbox_messages', 'conversation_id'],
  ['activeflows', 'conversation_id'],
  ['contact_places', 'conversation_id'],
  ['media_uses', 'conversation_id'],
];

/** Everything that D1 has of these conversations. Repeating it deletes nothing more. */
export async function dropConversations(env: Env, ids: string[]): Promise<void> {
  const list = JSON.stringify(ids);
  const drop = ([table, key]: [string, string]) =>
    env.DB.prepare(`DELETE FROM ${table} WHERE ${key} IN (SELECT value FROM json_each(?1))`).bind(list);
  await env.DB.batch(DELETED.map(drop));
}

/** The contacts themselves, and who was merged into whom. */
export async function dropContacts(env: Env, ids: string[]): Promise<void> {
  const list = JSON.stringify(ids);
  const isMeant = (key: string): string => `${key} IN (SELECT value FROM json_each(?1))`;
  await env.DB.batch([
    env.DB.prepare(`DELETE FROM contacts WHERE ${isMeant('id')}`).bind(list),
    env.DB.prepare(`DELETE FROM contact_places WHERE ${isMeant('contact_id')}`).bind(list),
    env.DB.prepare(`DELETE FROM contact_merges WHERE ${isMeant('winner_id')} OR ${isMeant('loser_id')}`).bind(list),
  ]);
}

/** Of these uploads, those that stand in no conversation's messages any more. */
export async function unusedUploads(env: Env, ids: string[]): Promise<string[]> {
  const isMeant = sql`${mediaUses.mediaId} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`;
  const used = await dbOf(env).selectDistinct({ id: mediaUses.mediaId }).from(mediaUses).where(isMeant);
  return ids.filter((id) => !used.some((each) => each.id === id));
}
