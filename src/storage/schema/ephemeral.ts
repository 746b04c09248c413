import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';

/** Short-lived rows of requests, and the sandbox provider's state. */

/** POSTs with an Idempotency-Key: running, or finished with their answer (storage/idempotency.ts). Kept for 24 hours. */
export const idempotencyKeys = sqliteTable(
  'idempotency_keys',
  {
    customerId: text('customer_id').notNull(),
    key: text('key').notNull(),
    fingerprint: text('fingerprint').notNull(),
    /** The answer's body, sealed because it may hold a token that is shown once. Empty while the request runs. */
    answerSealed: text('answer_sealed').notNull(),
    /** The conversation that the request went to, or whose people the answer names. Erasing it deletes the row. */
    conversationId: text('conversation_id'),
    expiresMs: integer('expires_ms').notNull(),
    /** The running attempt; empty once there is an answer. */
    holder: text('holder').notNull().default(''),
    /** When the running attempt counts as crashed. */
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

/** The sandbox provider's state: what the contact's phone would have received. */
export const sandboxMessages = sqliteTable(
  'sandbox_messages',
  {
    id: text('id').primaryKey(),
    accountId: text('account_id').notNull(),
    /** Our delivery id. Repeats are dropped, as a real provider does with an idempotency key. */
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

/** Faults that the sandbox provider will simulate next. */
export const sandboxFaults = sqliteTable('sandbox_faults', {
  accountId: text('account_id').primaryKey(),
  kind: text('kind').notNull(),
  remaining: integer('remaining').notNull(),
  retryAfterS: integer('retry_after_s'),
});
