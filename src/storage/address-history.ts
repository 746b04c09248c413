import { sql, type SQL } from 'drizzle-orm';
import { dbOf, type Statement } from './db.ts';
import { contactTraces } from './schema.ts';
import type { ContactAddress } from '../domain/conversation/identity/participants.ts';

const IS_MEANT = 'IN (SELECT value FROM json_each(?2))';

/**
 * Every address of these contacts. One that they had once and another contact has at present is that one's: two that were merged by
 * mistake had each other's.
 */
export async function addressesOf(env: Env, customerId: string, contactIds: string[]): Promise<ContactAddress[]> {
  const query = env.DB.prepare(ADDRESSES).bind(customerId, JSON.stringify(contactIds));
  return (await query.all<ContactAddress>()).results;
}

/** Who has an address at present: of a customer's contacts, those that a condition names. */
const heldBy = (whose: string): string => `
  EXISTS (
    SELECT 1 FROM contact_traces AS other
    JOIN contact_places AS place ON place.contact_id = other.contact_id AND place.conversation_id = other.conversation_id,
      json_each(place.addresses) AS held
    WHERE other.customer_id = ?1 AND other.type = trace.type AND other.target = trace.target AND other.contact_id ${whose}
      AND held.value ->> 'type' = trace.type AND held.value ->> 'target' = trace.target
  )`;

const ADDRESSES = `
  SELECT DISTINCT trace.type, trace.target FROM contact_traces AS trace
  WHERE trace.customer_id = ?1 AND trace.contact_id ${IS_MEANT}
    AND (${heldBy(IS_MEANT)} OR NOT ${heldBy(`NOT ${IS_MEANT}`)})`;

/** Contacts of their own that have these addresses and no others: one person came by several ways and was never found to be one. */
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
    AND id IN (SELECT contact_id FROM contact_traces AS trace JOIN json_each(?2) AS one
      ON trace.target = one.value ->> 'target' AND trace.type = one.value ->> 'type' WHERE trace.customer_id = ?1)
    AND EXISTS (SELECT 1 FROM contact_places AS place WHERE place.contact_id = contacts.id)
    AND NOT EXISTS (SELECT 1 FROM contact_places AS place, json_each(place.addresses) AS held
      WHERE place.contact_id = contacts.id AND NOT ${IS_AMONG})`;

/** Every conversation that one of them, or one of these addresses, is or was in. */
export async function conversationsWith(
  env: Env,
  customerId: string,
  contactIds: string[],
  addresses: ContactAddress[],
): Promise<string[]> {
  const query = dbOf(env).selectDistinct({ id: contactTraces.conversationId }).from(contactTraces);
  return (await query.where(isTraceOf(customerId, contactIds, addresses))).map(({ id }) => id);
}

/** Nothing tells any more where they were. */
export const dropAddressHistory = (
  env: Env,
  customerId: string,
  contactIds: string[],
  addresses: ContactAddress[],
): Statement =>
  dbOf(env)
    .delete(contactTraces)
    .where(isTraceOf(customerId, contactIds, addresses));

function isTraceOf(customerId: string, contactIds: string[], addresses: ContactAddress[]): SQL {
  const { contactId, type, target } = contactTraces;
  const list = JSON.stringify(addresses);
  // A contact's id is its customer's alone. Each side goes by an index of its own, and not over all that the customer has.
  const isTheirs = sql`${contactId} IN (SELECT value FROM json_each(${JSON.stringify(contactIds)}))`;
  const has = sql`${contactTraces.customerId} = ${customerId} AND ${target} IN (SELECT value ->> 'target' FROM json_each(${list}))
    AND (${type}, ${target}) IN (SELECT value ->> 'type', value ->> 'target' FROM json_each(${list}))`;
  return sql`${isTheirs} OR (${has})`;
}
