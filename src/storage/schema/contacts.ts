import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';
import { sql } from 'drizzle-orm';
import type { AddressType } from '../../domain/addresses.ts';
import type { ContactAddress } from '../../domain/conversation/state.ts';
import type { StoredJournal } from '../../domain/conversation/identity/stored-state.ts';

/** The people of conversations: a projection, except for `mergedInto`, of which D1 is the source of truth. */
export const contacts = sqliteTable(
  'contacts',
  {
    /** Derived from the first address (app/conversations/participants.ts), so that it is the same in every conversation. */
    id: text('id').primaryKey(),
    customerId: text('customer_id').notNull(),
    name: text('name').notNull(),
    /** The contact that this one was merged into, which is never merged itself. Null if not merged. */
    mergedInto: text('merged_into'),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (table) => [
    index('contacts_list').on(table.customerId, table.createdAt, table.id),
    index('contacts_merged').on(table.mergedInto),
  ],
);

/** The conversations of a contact, and the addresses that it holds in each. */
export const contactMemberships = sqliteTable(
  'contact_memberships',
  {
    conversationId: text('conversation_id').notNull(),
    contactId: text('contact_id').notNull(),
    addresses: text('addresses', { mode: 'json' }).$type<ContactAddress[]>().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.conversationId, table.contactId] }),
    index('contact_memberships_contact').on(table.contactId),
  ],
);

/**
 * Every address that a contact has ever had in a conversation, including conversations that it has left. Erasures find their data through
 * it. Rows are only added, and deleted with the contact.
 */
export const contactAddressHistory = sqliteTable(
  'contact_address_history',
  {
    customerId: text('customer_id').notNull(),
    contactId: text('contact_id').notNull(),
    conversationId: text('conversation_id').notNull(),
    type: text('type').$type<AddressType>().notNull(),
    target: text('target').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.contactId, table.conversationId, table.type, table.target] }),
    index('contact_address_history_address').on(table.customerId, table.target),
    index('contact_address_history_conversation').on(table.conversationId),
  ],
);

/** Mergers of contacts, with what an undo needs beyond the conversations' logs. */
export const contactMerges = sqliteTable(
  'contact_merges',
  {
    id: text('id').primaryKey(),
    customerId: text('customer_id').notNull(),
    winnerId: text('winner_id').notNull(),
    loserId: text('loser_id').notNull(),
    journal: text('journal', { mode: 'json' }).$type<StoredJournal>().notNull(),
    createdAt: integer('created_at').notNull(),
    undoneAt: integer('undone_at'),
  },
  (table) => [
    // Of two concurrent mergers of one contact, only one succeeds.
    uniqueIndex('contact_merges_standing')
      .on(table.loserId)
      .where(sql`undone_at IS NULL`),
    index('contact_merges_list').on(table.customerId, table.createdAt, table.id),
  ],
);

/** Erasures, by ids only. The cron finishes interrupted ones. */
export const erasures = sqliteTable(
  'erasures',
  {
    id: text('id').primaryKey(),
    customerId: text('customer_id').notNull(),
    contactId: text('contact_id').notNull(),
    contactIds: text('contact_ids', { mode: 'json' }).$type<string[]>().notNull(),
    conversationIds: text('conversation_ids', { mode: 'json' }).$type<string[]>().notNull(),
    messages: integer('messages').notNull(),
    files: integer('files').notNull(),
    createdAt: integer('created_at').notNull(),
    doneAt: integer('done_at'),
  },
  (table) => [index('erasures_open').on(table.doneAt, table.createdAt)],
);
