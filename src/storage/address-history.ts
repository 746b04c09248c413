import { sql, type SQL } from 'drizzle-orm';
import { dbOf, type Statement } from './db.ts';
import { contactAddressHistory } from './schema.ts';
import type { ContactAddress } from '../domain/conversation/state.ts';

const IN_LIST = 'IN (SELECT value FROM json_each(?2))';

/**
 * Every address that these contacts hold or have held, without past ones that another contact holds now: contacts that were merged by
 * mistake had each other's addresses.
 */
export async function addressesOf(env: Env, customerId: string, contactIds: string[]): Promise<ContactAddress[]> {
  const query = env.DB.prepare(ADDRESSES).bind(customerId, JSON.stringify(contactIds));
  return (await query.all<ContactAddress>()).results;
}

/** SQL: whether a contact of the customer that meets the condition holds the address now. */
const heldBy = (whose: string): string => `
  EXISTS (
    SELECT 1 FROM contact_address_history AS other
    JOIN contact_memberships AS membership ON membership.contact_id = other.contact_id AND membership.conversation_id = other.conversation_id,
      json_each(membership.addresses) AS held
    WHERE other.customer_id = ?1 AND other.type = entry.type AND other.target = entry.target AND other.contact_id ${whose}
      AND held.value ->> 'type' = entry.type AND held.value ->> 'target' = entry.target
  )`;

const ADDRESSES = `
  SELECT DISTINCT entry.type, entry.target FROM contact_address_history AS entry
  WHERE entry.customer_id = ?1 AND entry.contact_id ${IN_LIST}
    AND (${heldBy(IN_LIST)} OR NOT ${heldBy(`NOT ${IN_LIST}`)})`;

/** Unmerged contacts that hold some of these addresses and no others: the same person through another channel. */
export async function contactsWithOnly(env: Env, customerId: string, addresses: ContactAddress[]): Promise<string[]> {
  const query = env.DB.prepare(CONTACTS_WITH_ONLY).bind(customerId, JSON.stringify(addresses));
  return (await query.all<{ id: string }>()).results.map(({ id }) => id);
}

const IS_AMONG = `EXISTS (SELECT 1 FROM json_each(?2) AS one
  WHERE one.value ->> 'type' = held.value ->> 'type' AND one.value ->> 'target' = held.value ->> 'target')`;

const CONTACTS_WITH_ONLY = `
  SELECT contacts.id FROM contacts
  WHERE customer_id = ?1 AND merged_into IS NULL
    AND NOT EXISTS (SELECT 1 FROM contacts AS also WHERE also.merged_into = contacts.id)
    AND id IN (SELECT contact_id FROM contact_address_history AS entry JOIN json_each(?2) AS one
      ON entry.target = one.value ->> 'target' AND entry.type = one.value ->> 'type' WHERE entry.customer_id = ?1)
    AND EXISTS (SELECT 1 FROM contact_memberships AS membership WHERE membership.contact_id = contacts.id)
    AND NOT EXISTS (SELECT 1 FROM contact_memberships AS membership, json_each(membership.addresses) AS held
      WHERE membership.contact_id = contacts.id AND NOT ${IS_AMONG})`;

/** Every conversation that one of these contacts or addresses is or was in. */
export async function conversationsWith(
  env: Env,
  customerId: string,
  contactIds: string[],
  addresses: ContactAddress[],
): Promise<string[]> {
  const query = dbOf(env).selectDistinct({ id: contactAddressHistory.conversationId }).from(contactAddressHistory);
  return (await query.where(isEntryOf(customerId, contactIds, addresses))).map(({ id }) => id);
}

/** Deletes the history of these contacts and addresses. */
export const dropAddressHistory = (
  env: Env,
  customerId: string,
  contactIds: string[],
  addresses: ContactAddress[],
): Statement =>
  dbOf(env)
    .delete(contactAddressHistory)
    .where(isEntryOf(customerId, contactIds, addresses));

function isEntryOf(customerId: string, contactIds: string[], addresses: ContactAddress[]): SQL {
  const { contactId, type, target } = contactAddressHistory;
  const list = JSON.stringify(addresses);
  // A contact's id belongs to one customer. Each side of the OR uses its own index instead of scanning all of the customer's rows.
  const isTheirs = sql`${contactId} IN (SELECT value FROM json_each(${JSON.stringify(contactIds)}))`;
  const has = sql`${contactAddressHistory.customerId} = ${customerId} AND ${target} IN (SELECT value ->> 'target' FROM json_each(${list}))
    AND (${type}, ${target}) IN (SELECT value ->> 'type', value ->> 'target' FROM json_each(${list}))`;
  return sql`${isTheirs} OR (${has})`;
}
