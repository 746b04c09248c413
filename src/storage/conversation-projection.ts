import { projectLog, type Announcement } from './projection.ts';
import type { SearchDocument } from '../domain/conversation/search.ts';
import { peopleOf, heldAddresses, plainAddress } from '../domain/conversation/identity/participants.ts';
import { readConversation } from '../domain/conversation/events.ts';
import type { ConversationState } from '../domain/conversation/state.ts';
import type { LogRow } from '../domain/events.ts';
import type { Micros } from '../domain/time.ts';

/** One batch of a conversation's log, with the current state of its subjects. */
export interface ConversationBatch {
  conversation: ConversationState;
  rows: LogRow[];
  /** The current messages that the rows are about, as a JSON array. */
  messages: string;
  announcements: Announcement[];
  /** The search documents that the rows change. */
  searchDocuments: SearchDocument[];
}

const UPSERT_MESSAGES = `
  INSERT INTO messages (conversation_id, id, customer_id, version, data, created_at)
  SELECT ?1, value ->> 'id', ?2, ?3, value, value ->> 'createdAt' FROM json_each(?4) WHERE true
  ON CONFLICT (conversation_id, id) DO UPDATE SET version = excluded.version, data = excluded.data
  WHERE excluded.version > messages.version`;

const UPSERT_CONVERSATION = `
  INSERT INTO conversations (id, customer_id, account_id, type, lifecycle, owner_id, peer_target, sequence, data, created_at, updated_at, deleted_at, active_at)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
  ON CONFLICT (id) DO UPDATE SET lifecycle = excluded.lifecycle, owner_id = excluded.owner_id, sequence = excluded.sequence,
    data = excluded.data, updated_at = excluded.updated_at, deleted_at = excluded.deleted_at,
    active_at = max(excluded.active_at, conversations.active_at), account_id = excluded.account_id, type = excluded.type, peer_target = excluded.peer_target
  WHERE excluded.sequence > conversations.sequence`;

const UPSERT_SEARCH = `
  INSERT INTO search_texts (key, conversation_id, customer, terms)
  SELECT value ->> 'key', ?1, value ->> 'customer', value ->> 'terms' FROM json_each(?2) WHERE true
  ON CONFLICT (key) DO UPDATE SET terms = excluded.terms WHERE excluded.terms <> search_texts.terms`;

const UPSERT_CONTACTS = `
  INSERT INTO contacts (id, customer_id, name, created_at, updated_at)
  SELECT value ->> 'contactId', ?1, value ->> 'name', value ->> 'addedAt', ?2 FROM json_each(?3) WHERE true
  ON CONFLICT (id) DO UPDATE SET name = CASE excluded.name WHEN '' THEN contacts.name ELSE excluded.name END,
    updated_at = max(excluded.updated_at, contacts.updated_at)`;

const DROP_MEMBERSHIPS = 'DELETE FROM contact_memberships WHERE conversation_id = ?1';

const INSERT_MEMBERSHIPS = `
  INSERT INTO contact_memberships (conversation_id, contact_id, addresses)
  SELECT ?1, value ->> 'contactId', value -> 'addresses' FROM json_each(?2) WHERE true
  ON CONFLICT (conversation_id, contact_id) DO UPDATE SET addresses = excluded.addresses`;

/** From the rows and from the current state, so that somebody who joined and left within one batch is included. */
const INSERT_ADDRESS_HISTORY = `
  INSERT INTO contact_address_history (customer_id, contact_id, conversation_id, type, target)
  SELECT DISTINCT ?1, person.value ->> 'contactId', ?2, address.value ->> 'type', address.value ->> 'target'
  FROM json_each(?3) AS person, json_each(person.value, '$.addresses') AS address WHERE true
  ON CONFLICT DO NOTHING`;

/** An upload's providerRef is `stored:<media id>` (domain/content.ts). */
const INSERT_USES = `
  INSERT INTO media_uses (media_id, conversation_id)
  SELECT substr(media.value ->> 'providerRef', 8), ?1
  FROM json_each(?2) AS message, json_each(message.value, '$.medias') AS media
  WHERE media.value ->> 'providerRef' LIKE 'stored:%'
  ON CONFLICT (media_id, conversation_id) DO NOTHING`;

/** Writes the people of the conversation, if one of the rows may have changed them. */
function peopleStatements(db: D1Database, { conversation, rows }: ConversationBatch): D1PreparedStatement[] {
  if (rows.every(({ messageId }) => messageId !== null)) return [];
  const { id, customerId, updatedAt } = conversation;
  const present = peopleIn(conversation);
  const people = JSON.stringify(present);
  return [
    db.prepare(UPSERT_CONTACTS).bind(customerId, updatedAt, people),
    db.prepare(DROP_MEMBERSHIPS).bind(id),
    db.prepare(INSERT_MEMBERSHIPS).bind(id, people),
    db.prepare(INSERT_ADDRESS_HISTORY).bind(customerId, id, JSON.stringify([...present, ...rows.flatMap(peopleAt)])),
  ];
}

/** The people with the addresses that they hold. The directory of contacts leaves out claimed addresses. */
const peopleIn = (conversation: ConversationState) =>
  peopleOf(conversation).map((person) => ({ ...person, addresses: heldAddresses(person).map(plainAddress) }));

const peopleAt = ({ messageId, facts }: LogRow) => (messageId === null ? peopleIn(readConversation(facts)) : []);

const usesOf = (db: D1Database, { conversation, messages }: ConversationBatch): D1PreparedStatement[] =>
  messages.includes('"stored:') ? [db.prepare(INSERT_USES).bind(conversation.id, messages)] : [];

/** @returns the ids of the webhook deliveries whose first attempt is due. */
export function projectConversation(db: D1Database, batch: ConversationBatch, nowMs: number): Promise<string[]> {
  const { conversation, messages, rows, announcements, searchDocuments } = batch;
  const { customerId, id } = conversation;
  const last = rows.at(-1);
  const subjects = [
    db.prepare(UPSERT_MESSAGES).bind(id, customerId, last?.sequence ?? 0, messages),
    conversationStatement(db, conversation, last?.at ?? conversation.updatedAt),
    ...peopleStatements(db, batch),
    ...usesOf(db, batch),
    ...(searchDocuments.length === 0 ? [] : [db.prepare(UPSERT_SEARCH).bind(id, JSON.stringify(searchDocuments))]),
  ];
  return projectLog(db, { sourceId: id, customerId, rows, announcements }, subjects, nowMs);
}

const conversationStatement = (db: D1Database, state: ConversationState, activeAt: Micros) =>
  db
    .prepare(UPSERT_CONVERSATION)
    .bind(
      state.id,
      state.customerId,
      state.accountId,
      state.type,
      state.mergedInto === null ? state.lifecycle : 'closed',
      state.ownerId,
      state.peer.target,
      state.sequence,
      JSON.stringify(state),
      state.createdAt,
      state.updatedAt,
      state.deletedAt,
      activeAt,
    );
