import { and, eq, isNull, lt, sql } from 'drizzle-orm';
import { dbOf, runBatch } from './db.ts';
import { erasures, mediaUses } from './schema.ts';
import { dropAddressHistory } from './address-history.ts';
import type { ContactAddress } from '../domain/conversation/state.ts';
import type { Micros } from '../domain/time.ts';

export type Erasure = typeof erasures.$inferSelect;

export const insertErasure = (env: Env, erasure: Erasure): Promise<unknown> =>
  dbOf(env).insert(erasures).values(erasure);

export const finishErasure = (env: Env, { id, messages, files, doneAt }: Erasure): Promise<unknown> =>
  dbOf(env).update(erasures).set({ messages, files, doneAt }).where(eq(erasures.id, id));

/** Erasures that were begun before `before` and are not finished: they were interrupted. */
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
  ['contact_memberships', 'conversation_id'],
  ['contact_address_history', 'conversation_id'],
  ['media_uses', 'conversation_id'],
  ['idempotency_keys', 'conversation_id'],
];

const IN_LIST = 'IN (SELECT value FROM json_each(?1))';

/** Deletes everything that D1 has of these conversations. Idempotent. */
export async function dropConversations(env: Env, ids: string[]): Promise<void> {
  const list = JSON.stringify(ids);
  const deletion = ([table, key]: [string, string]) =>
    env.DB.prepare(`DELETE FROM ${table} WHERE ${key} ${IN_LIST}`).bind(list);
  await env.DB.batch(DELETED.map(deletion));
}

const SCRUBBED = [
  `DELETE FROM search_texts WHERE conversation_id ${IN_LIST}`,
  `DELETE FROM media_uses WHERE conversation_id ${IN_LIST}`,
  `DELETE FROM idempotency_keys WHERE conversation_id ${IN_LIST}`,
  // Any row that the rebuild writes is newer than version 0 and overwrites these. Until then the other people's messages stay readable.
  `UPDATE messages SET version = 0 WHERE conversation_id ${IN_LIST}`,
  `UPDATE conversations SET sequence = 0 WHERE id ${IN_LIST}`,
];

/**
 * Deletes what the rebuild of a conversation that continues without the contact would not overwrite. The other people's webhooks, flows and
 * sandbox messages stay.
 */
export async function dropPartsOf(
  env: Env,
  ids: string[],
  { messageIds, targets }: { messageIds: string[]; targets: string[] },
): Promise<void> {
  const list = JSON.stringify(ids);
  const among = (table: string, key: string, values: string[]) =>
    env.DB.prepare(
      `DELETE FROM ${table} WHERE conversation_id ${IN_LIST} AND ${key} IN (SELECT value FROM json_each(?2))`,
    ).bind(list, JSON.stringify(values));
  await env.DB.batch([
    ...SCRUBBED.map((query) => env.DB.prepare(query).bind(list)),
    among('sandbox_messages', 'recipient', targets),
    among('activeflows', 'message_id', messageIds),
  ]);
}

/** Deletes the contacts, their memberships and address history, and their mergers. */
export async function dropContacts(
  env: Env,
  customerId: string,
  ids: string[],
  addresses: ContactAddress[],
): Promise<void> {
  const list = JSON.stringify(ids);
  await env.DB.batch([
    env.DB.prepare(`DELETE FROM contacts WHERE id ${IN_LIST}`).bind(list),
    env.DB.prepare(`DELETE FROM contact_memberships WHERE contact_id ${IN_LIST}`).bind(list),
    env.DB.prepare(`DELETE FROM contact_merges WHERE winner_id ${IN_LIST} OR loser_id ${IN_LIST}`).bind(list),
    env.DB.prepare(SCRUB_JOURNALS).bind(customerId, list, JSON.stringify(addresses)),
  ]);
  await runBatch(dbOf(env), [dropAddressHistory(env, customerId, ids, addresses)]);
}

/** Mergers of other contacts may name the erased ones too: by id, and in journals of the first release by address. */
const SCRUB_JOURNALS = `
  UPDATE contact_merges SET journal = json_set(journal,
    '$.moved', json((
      SELECT json_group_array(json(moved.value)) FROM json_each(journal, '$.moved') AS moved
      WHERE moved.value ->> 'contactId' NOT IN (SELECT value FROM json_each(?2))
    )),
    '$.joined', json((
      SELECT json_group_array(json(CASE WHEN joined.value -> '$.addresses' IS NULL THEN joined.value ELSE json_set(joined.value, '$.addresses', json((
        SELECT json_group_array(json(held.value)) FROM json_each(joined.value, '$.addresses') AS held
        WHERE (held.value ->> 'type', held.value ->> 'target') NOT IN (SELECT value ->> 'type', value ->> 'target' FROM json_each(?3))
      ))) END)) FROM json_each(journal, '$.joined') AS joined
    ))
  )
  WHERE customer_id = ?1 AND (
    EXISTS (SELECT 1 FROM json_each(journal, '$.moved') AS moved
      WHERE moved.value ->> 'contactId' IN (SELECT value FROM json_each(?2)))
    OR EXISTS (SELECT 1 FROM json_each(journal, '$.joined') AS joined, json_each(joined.value, '$.addresses') AS held
      WHERE (held.value ->> 'type', held.value ->> 'target') IN (SELECT value ->> 'type', value ->> 'target' FROM json_each(?3)))
  )`;

/** The uploads among these that no message refers to any more. */
export async function unusedUploads(env: Env, ids: string[]): Promise<string[]> {
  const isListed = sql`${mediaUses.mediaId} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`;
  const used = await dbOf(env).selectDistinct({ id: mediaUses.mediaId }).from(mediaUses).where(isListed);
  return ids.filter((id) => !used.some((each) => each.id === id));
}
