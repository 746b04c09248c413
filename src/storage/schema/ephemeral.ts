import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';

/** What requests leave behind for a while, and the sandbox provider's own memory. */

/** POSTs that carried an Idempotency-Key: one that runs, or the answer of one that has ended (storage/idempotency.ts). Kept 24 hours. */
export const idempotencyKeys = sqliteTable(
  'idempotency_keys',
  {
    customerId: text('customer_id').notNull(),
    key: text('key').notNull(),
    fingerprint: text('fingerprint').notNull(),
    /** The answer's body, sealed because it may hold a token that is shown once. Empty while the request runs. */
    answerSealed: text('answer_sealed').notNull(),
    /** The conversation that the request went to, or whose people the answer names: an erasure there deletes the row. */
    conversationId: text('conversation_id'),
    expiresMs: integer('expires_ms').notNull(),
    /** The attempt that runs; empty once the answer is there. */
    holder: text('holder').notNull().default(''),
    /** When the attempt that runs is given up as crashed. */
    leaseMs: integer('lease_ms').notNull().default(0),
  },
  (table) => [primaryKey({ columns: [table.customerId, table.key] })],
);

/** Single-use tickets for browser streams, stored hashed. */
export const streamTickets = sqliteTable('stream_tickets', {
  hash: text('hash').primaryKey(),
  principal: text('principal').notNull(),
  tokenVersion: integer('token_version').notNull(),
  expiresMs: integer('expires_ms').notNull(),
});

/** Failed logins of one user name in one minute. */
export const loginFailures = sqliteTable(
  'login_failures',
  {
    username: text('username').notNull(),
    minute: integer('minute').notNull(),
    count: integer('count').notNull(),
  },
  (table) => [primaryKey({ columns: [table.username, table.minute] })],
);

/** The sandbox provider's own memory: what the contact's phone would have received. */
export const sandboxMessages = sqliteTable(
  'sandbox_messages',
  {
    id: text('id').primaryKey(),
    accountId: text('account_id').notNull(),
    /** Our delivery id: a repeat is dropped, as a real provider's idempotency key would. */
    idempotencyKey: text('idempotency_key').notNull(),
    conversationId: text('conversation_id').notNull(),
    messageId: text('message_id').notNull(),
    sender: text('sender').notNull(),
    recipient: text('recipient').notNull(),
    text: text('text').notNull(),
    medias: text('medias').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [
    uniqueIndex('sandbox_messages_key').on(table.accountId, table.idempotencyKey),
    index('sandbox_messages_list').on(table.accountId, table.createdAt, table.id),
  ],
);

/** What the sandbox provider will do wrong next. */
export const sandboxFaults = sqliteTable('sandbox_faults', {
  accountId: text('account_id').primaryKey(),
  kind: text('kind').notNull(),
  remaining: integer('remaining').notNull(),
  retryAfterS: integer('retry_after_s'),
});
