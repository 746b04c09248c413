import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';
import { stamps } from './stamps.ts';

/** The history across conversations and talks: a projection that can be rebuilt from the objects. */

export const conversations = sqliteTable(
  'conversations',
  {
    id: text('id').primaryKey(),
    customerId: text('customer_id').notNull(),
    accountId: text('account_id').notNull(),
    type: text('type').notNull(),
    lifecycle: text('lifecycle').notNull(),
    ownerId: text('owner_id'),
    peerTarget: text('peer_target').notNull(),
    sequence: integer('sequence').notNull(),
    /** The whole ConversationState; the other columns are for filtering and sorting lists. */
    data: text('data').notNull(),
    /** The time of the newest event that D1 knows. */
    activeAt: integer('active_at').notNull(),
    ...stamps,
  },
  (table) => [
    index('conversations_list').on(table.customerId, table.createdAt, table.id),
    index('conversations_account').on(table.customerId, table.accountId, table.createdAt, table.id),
    index('conversations_owner').on(table.customerId, table.ownerId, table.createdAt),
    index('conversations_activity').on(table.activeAt),
  ],
);

export const messages = sqliteTable(
  'messages',
  {
    conversationId: text('conversation_id').notNull(),
    id: text('id').notNull(),
    customerId: text('customer_id').notNull(),
    /** The sequence of the last event that changed the message: an older copy never overwrites a newer one. */
    version: integer('version').notNull(),
    /** The whole Message. A deleted one holds no text and no medias. */
    data: text('data').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.conversationId, table.id] })],
);

/** Which conversations use which uploads. An upload is deleted when the last conversation that uses it is erased. */
export const mediaUses = sqliteTable(
  'media_uses',
  { mediaId: text('media_id').notNull(), conversationId: text('conversation_id').notNull() },
  (table) => [
    primaryKey({ columns: [table.mediaId, table.conversationId] }),
    index('media_uses_conversation').on(table.conversationId),
  ],
);

/** The search documents of conversations (domain/conversation/search.ts). The index over it, `search`, is FTS5 and kept by triggers. */
export const searchTexts = sqliteTable(
  'search_texts',
  {
    id: integer('id').primaryKey(),
    /** A message's id, or a conversation's id for its names and addresses. */
    key: text('key').notNull(),
    conversationId: text('conversation_id').notNull(),
    customer: text('customer').notNull(),
    terms: text('terms').notNull(),
  },
  (table) => [
    uniqueIndex('search_texts_key').on(table.key),
    index('search_texts_conversation').on(table.conversationId),
  ],
);

export const talks = sqliteTable(
  'talks',
  {
    id: text('id').primaryKey(),
    customerId: text('customer_id').notNull(),
    type: text('type').notNull(),
    sequence: integer('sequence').notNull(),
    /** The whole TalkState; the other columns are for filtering and sorting lists. */
    data: text('data').notNull(),
    /** The time of the newest event that D1 knows. */
    activeAt: integer('active_at').notNull(),
    ...stamps,
  },
  (table) => [
    index('talks_channels').on(table.customerId, table.type, table.createdAt, table.id),
    index('talks_activity').on(table.activeAt),
  ],
);

/** The current participants of each talk, and their read positions. */
export const talkParticipants = sqliteTable(
  'talk_participants',
  {
    talkId: text('talk_id').notNull(),
    agentId: text('agent_id').notNull(),
    readSequence: integer('read_sequence').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.talkId, table.agentId] }),
    index('talk_participants_agent').on(table.agentId, table.talkId),
  ],
);

export const talkMessages = sqliteTable(
  'talk_messages',
  {
    talkId: text('talk_id').notNull(),
    id: text('id').notNull(),
    customerId: text('customer_id').notNull(),
    /** The sequence of the last event that changed the message: an older copy never overwrites a newer one. */
    version: integer('version').notNull(),
    /** The position of the message in the talk. */
    sequence: integer('sequence').notNull(),
    /** The author, for whom it is never unread; null for system messages, which are never unread. */
    ownerId: text('owner_id'),
    deleted: integer('deleted').notNull(),
    /** The whole TalkMessage. A deleted one holds no text and no medias. */
    data: text('data').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.talkId, table.id] }),
    index('talk_messages_unread').on(table.talkId, table.sequence),
    index('talk_messages_list').on(table.talkId, table.createdAt, table.id),
  ],
);

/** The logs of all objects, in the order in which they reached D1. `GET /v1.0/events` reads from it, and webhooks deliver it. */
export const events = sqliteTable(
  'events',
  {
    position: integer('position').primaryKey({ autoIncrement: true }),
    customerId: text('customer_id').notNull(),
    /** The object whose log this is: a conversation, a talk, or a webhook endpoint for its own notices. */
    sourceId: text('source_id').notNull(),
    sequence: integer('sequence').notNull(),
    type: text('type').notNull(),
    messageId: text('message_id'),
    /** The facts of the event itself (domain/events.ts); a message's content is read from its own row. */
    facts: text('facts').notNull(),
    at: integer('at').notNull(),
  },
  (table) => [
    uniqueIndex('events_log').on(table.sourceId, table.sequence),
    index('events_feed').on(table.customerId, table.position),
  ],
);
