import { and, eq, isNull, or, sql, type SQL } from 'drizzle-orm';
import { dbOf, isTaken, runBatch, type Statement } from './db.ts';
import { afterCursor, newestFirst, pageOf, type Page, type PageRequest } from './page.ts';
import { contactMerges, contactMemberships, contacts } from './schema.ts';
import type { Contact, MergeJournal, Sides } from '../domain/contacts.ts';
import { addressText } from '../domain/conversation/identity/participants.ts';
import type { ContactAddress } from '../domain/conversation/state.ts';
import { upgradeStoredJournal } from '../domain/conversation/identity/stored-state.ts';
import type { Micros } from '../domain/time.ts';

type Row = typeof contacts.$inferSelect;
type Membership = typeof contactMemberships.$inferSelect;
type MergeRow = typeof contactMerges.$inferSelect;
export type ContactMerge = Omit<MergeRow, 'journal'> & { journal: MergeJournal };

/** The contact with this id, or the one that it was merged into. Null if this customer has no such contact. `seen`: the ids already followed. */
export async function findContact(
  env: Env,
  customerId: string,
  id: string,
  seen: string[] = [],
): Promise<Contact | null> {
  const mine = (wanted: string) => and(eq(contacts.id, wanted), eq(contacts.customerId, customerId));
  const row = (await dbOf(env).select().from(contacts).where(mine(id)))[0];
  if (!row) return null;
  if (row.mergedInto !== null && !seen.includes(row.mergedInto))
    return findContact(env, customerId, row.mergedInto, [...seen, id]);
  return (await withMemberships(env, [row]))[0] ?? null;
}

/** Newest first, without contacts that were merged into others. `address`: only contacts that hold it. */
export async function listContacts(
  env: Env,
  customerId: string,
  address: string | null,
  request: PageRequest,
): Promise<Page<Contact>> {
  const own = and(eq(contacts.customerId, customerId), isNull(contacts.mergedInto));
  const where = and(own, address === null ? undefined : hasAddress(address), afterCursor(contacts, request.cursor));
  const query = dbOf(env).select().from(contacts).where(where);
  const page = pageOf(await query.orderBy(...newestFirst(contacts)).limit(request.size + 1), request.size);
  return { ...page, rows: await withMemberships(env, page.rows) };
}

const hasAddress = (address: string): SQL =>
  sql`EXISTS (SELECT 1 FROM contacts AS also JOIN contact_memberships AS membership ON membership.contact_id = also.id, json_each(membership.addresses) AS one
    WHERE (also.id = ${contacts.id} OR also.merged_into = ${contacts.id}) AND one.value ->> 'target' = ${address})`;

async function withMemberships(env: Env, rows: Row[]): Promise<Contact[]> {
  if (rows.length === 0) return [];
  const ids = JSON.stringify(rows.map(({ id }) => id));
  const db = dbOf(env);
  const also = await db
    .select()
    .from(contacts)
    .where(sql`${contacts.mergedInto} IN (SELECT value FROM json_each(${ids}))`);
  const memberships = await membershipsOf(env, [...rows, ...also]);
  return rows.map((row) =>
    contactOf(
      row,
      also.filter(({ mergedInto }) => mergedInto === row.id),
      memberships,
    ),
  );
}

function membershipsOf(env: Env, rows: Row[]): Promise<Membership[]> {
  const ids = JSON.stringify(rows.map(({ id }) => id));
  return dbOf(env)
    .select()
    .from(contactMemberships)
    .where(sql`${contactMemberships.contactId} IN (SELECT value FROM json_each(${ids}))`);
}

function contactOf(row: Row, also: Row[], memberships: Membership[]): Contact {
  const ids = [row, ...also].map(({ id }) => id);
  const theirs = memberships.filter(({ contactId }) => ids.includes(contactId));
  const addresses = new Map<string, ContactAddress>();
  for (const { addresses: held } of theirs) for (const one of held) addresses.set(addressText(one), one);
  return {
    id: row.id,
    name: row.name || (also.find(({ name }) => name !== '')?.name ?? ''),
    addresses: [...addresses.values()],
    conversationIds: [...new Set(theirs.map(({ conversationId }) => conversationId))],
    mergedIds: also.map(({ id }) => id),
    createdAt: row.createdAt,
    updatedAt: Math.max(row.updatedAt, ...also.map(({ updatedAt }) => updatedAt)),
  };
}

/** False if another merger or its undoing has changed one of the contacts since they were read. */
export async function insertMerge(env: Env, merge: ContactMerge): Promise<boolean> {
  const { id, customerId, winnerId, loserId, journal, createdAt } = merge;
  const moved = JSON.stringify(journal.moved);
  try {
    await env.DB.batch([
      env.DB.prepare(INSERT_MERGE).bind(id, customerId, winnerId, loserId, JSON.stringify(journal), createdAt, moved),
      env.DB.prepare(MOVE_CONTACTS).bind(winnerId, moved, id),
    ]);
  } catch (error) {
    if (isTaken(error, 'contact_merges.loser_id')) return false;
    throw error;
  }
  return (await findMerge(env, customerId, id)) !== null;
}

/** Succeeds only if the winner is not merged itself, every moved contact is still merged where it was, and all of the loser's contacts move. */
const INSERT_MERGE = `
  INSERT INTO contact_merges (id, customer_id, winner_id, loser_id, journal, created_at)
  SELECT ?1, ?2, ?3, ?4, ?5, ?6
  WHERE EXISTS (SELECT 1 FROM contacts WHERE id = ?3 AND merged_into IS NULL)
    AND NOT EXISTS (SELECT 1 FROM json_each(?7) LEFT JOIN contacts ON contacts.id = value ->> 'contactId'
      WHERE contacts.id IS NULL OR contacts.merged_into IS NOT value ->> 'before')
    AND NOT EXISTS (SELECT 1 FROM contacts WHERE merged_into = ?4
      AND id NOT IN (SELECT value ->> 'contactId' FROM json_each(?7)))`;

const MOVE_CONTACTS = `
  UPDATE contacts SET merged_into = ?1
  WHERE id IN (SELECT value ->> 'contactId' FROM json_each(?2))
    AND EXISTS (SELECT 1 FROM contact_merges WHERE id = ?3)`;

/** Written before each step, because an undo undoes what the journal contains. */
export const saveJournal = (env: Env, id: string, journal: MergeJournal): Promise<unknown> =>
  dbOf(env).update(contactMerges).set({ journal }).where(eq(contactMerges.id, id));

export const findMerge = (env: Env, customerId: string, id: string): Promise<ContactMerge | null> =>
  readMerge(env, and(eq(contactMerges.id, id), eq(contactMerges.customerId, customerId)));

/** The merger that merged this contact into another one and has not been undone. */
export function mergerOf(env: Env, customerId: string, loserId: string): Promise<ContactMerge | null> {
  const isTheirs = and(eq(contactMerges.customerId, customerId), eq(contactMerges.loserId, loserId));
  return readMerge(env, and(isTheirs, isNull(contactMerges.undoneAt)));
}

async function readMerge(env: Env, where: SQL | undefined): Promise<ContactMerge | null> {
  const row = (await dbOf(env).select().from(contactMerges).where(where))[0];
  return row ? { ...row, journal: upgradeStoredJournal(row.journal) } : null;
}

/** Both sides of a merger that is not undone, each with the contacts that belonged to it before. */
export async function sidesOf(env: Env, { winnerId, loserId, journal }: ContactMerge): Promise<Sides | null> {
  const mine = or(eq(contacts.id, winnerId), eq(contacts.mergedInto, winnerId));
  const rows = await dbOf(env).select().from(contacts).where(mine);
  const [winner, loser] = [rows.find(({ id }) => id === winnerId), rows.find(({ id }) => id === loserId)];
  if (!winner || !loser) return null;
  const moved = journal.moved.map(({ contactId }) => contactId);
  const others = rows.filter((row) => row !== winner && row !== loser);
  const memberships = await membershipsOf(env, rows);
  const own = (isMoved: boolean) => others.filter(({ id }) => moved.includes(id) === isMoved);
  return { winner: contactOf(winner, own(false), memberships), loser: contactOf(loser, own(true), memberships) };
}

/**
 * Restores which contact each one was merged into before, if any, and the winner's own name. The journal keeps only the ids of the joined
 * conversations, because the people in them may be erased later.
 */
export async function undoMerge(env: Env, { id, winnerId, journal }: ContactMerge, undoneAt: Micros): Promise<void> {
  const db = dbOf(env);
  const back = journal.moved.map(({ contactId, before }) =>
    db
      .update(contacts)
      .set({ mergedInto: before })
      .where(and(eq(contacts.id, contactId), eq(contacts.mergedInto, winnerId))),
  );
  const joinedIds = journal.joined.map(({ from, into }) => ({ from, into }));
  const undone = { undoneAt, journal: { moved: journal.moved, joined: joinedIds } };
  const ended = db.update(contactMerges).set(undone).where(eq(contactMerges.id, id));
  await runBatch(db, [
    ...(journal.winnerName === '' ? [removeInheritedName(env, winnerId, journal)] : []),
    ...back,
    ended,
  ]);
}

/** The winner had no name before the merger: if it still has the name of one of these contacts, it loses it. */
const removeInheritedName = (env: Env, winnerId: string, { moved }: MergeJournal): Statement => {
  const ids = JSON.stringify(moved.map(({ contactId }) => contactId));
  const theirs = sql`${contacts.name} IN (SELECT name FROM contacts AS theirs WHERE theirs.id IN (SELECT value FROM json_each(${ids})))`;
  return dbOf(env)
    .update(contacts)
    .set({ name: '' })
    .where(and(eq(contacts.id, winnerId), theirs));
};
