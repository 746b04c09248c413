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

/**
 * What is overwritten before it is deleted: a deleted row leaves its bytes in the database's free pages, and a text of the same length
 * takes their place.
 */
const OVERWRITTEN: [table: string, column: string, key: string][] = [
  ['messages', 'data', 'conversation_id'],
  ['conversations', 'data', 'id'],
  ['events', 'facts', 'source_id'],
  ['search_texts', 'terms', 'conversation_id'],
  ['sandbox_messages', 'text', 'conversation_id'],
  ['activeflows', 'variables', 'conversation_id'],
  ['contact_places', 'addresses', 'conversation_id'],
];

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
  const isMeant = (key: string): string => `${key} IN (SELECT value FROM json_each(?1))`;
  const blanked = OVERWRITTEN.map(([table, column, key]) =>
    env.DB.prepare(
      `UPDATE ${table} SET ${column} = substr(replace(hex(zeroblob(length(CAST(${column} AS BLOB)))), '00', '0'), 1, length(CAST(${column} AS BLOB))) WHERE ${isMeant(key)}`,
    ).bind(list),
  );
  const deleted = DELETED.map(([table, key]) =>
    env.DB.prepare(`DELETE FROM ${table} WHERE ${isMeant(key)}`).bind(list),
  );
  await env.DB.batch([...blanked, ...deleted]);
}

/** The contacts themselves, and who was merged into whom. */
export async function dropContacts(env: Env, ids: string[]): Promise<void> {
  const list = JSON.stringify(ids);
  const isMeant = (key: string): string => `${key} IN (SELECT value FROM json_each(?1))`;
  await env.DB.batch([
    env.DB.prepare(`UPDATE contacts SET name = '' WHERE ${isMeant('id')}`).bind(list),
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
