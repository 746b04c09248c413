import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';

/**
 * D1: the customers' directory, and the history across conversations.
 *
 * Directory tables (customers … webhook_endpoints) are the truth. Projection tables (conversations, messages, events) are
 * copies of what the objects own and can be rebuilt from them. Times are microseconds unless the name says `_ms`.
 * The customer is the first column of every key that a list walks: no query can cross customers by accident.
 */

const stamps = {
  createdAt: integer('created_at').notNull(),
  updatedAt: integer('updated_at').notNull(),
  deletedAt: integer('deleted_at'),
};

export const customers = sqliteTable('customers', {
  id: text('id').primaryKey(),
  name: text('name').notNull(),
  detail: text('detail').notNull(),
  idleTimeoutS: integer('idle_timeout_s').notNull(),
  closeTimeoutS: integer('close_timeout_s').notNull(),
  ...stamps,
});

export const agents = sqliteTable(
  'agents',
  {
    id: text('id').primaryKey(),
    customerId: text('customer_id').notNull(),
    username: text('username').notNull(),
    name: text('name').notNull(),
    detail: text('detail').notNull(),
    passwordHash: text('password_hash').notNull(),
    permission: integer('permission').notNull(),
    status: text('status').notNull(),
    /** Part of every token; growing it ends all tokens of this agent. */
    tokenVersion: integer('token_version').notNull(),
    ...stamps,
  },
  (table) => [
    uniqueIndex('agents_username').on(table.username),
    index('agents_list').on(table.customerId, table.createdAt, table.id),
  ],
);

export const accessKeys = sqliteTable(
  'access_keys',
  {
    id: text('id').primaryKey(),
    customerId: text('customer_id').notNull(),
    name: text('name').notNull(),
    detail: text('detail').notNull(),
    /** SHA-256 in hex: 256 random bits need no slow hash. */
    tokenHash: text('token_hash').notNull(),
    tokenPrefix: text('token_prefix').notNull(),
    expiresAt: integer('expires_at').notNull(),
    ...stamps,
  },
  (table) => [
    uniqueIndex('access_keys_token').on(table.tokenHash),
    index('access_keys_list').on(table.customerId, table.createdAt, table.id),
  ],
);

export const accounts = sqliteTable(
  'accounts',
  {
    id: text('id').primaryKey(),
    customerId: text('customer_id').notNull(),
    type: text('type').notNull(),
    name: text('name').notNull(),
    detail: text('detail').notNull(),
    messageFlowId: text('message_flow_id').notNull(),
    assistantId: text('assistant_id').notNull(),
    /** AES-GCM, see security/secret-box.ts. */
    secretSealed: text('secret_sealed').notNull(),
    tokenSealed: text('token_sealed').notNull(),
    providerData: text('provider_data', { mode: 'json' }).$type<Record<string, string | string[]>>().notNull(),
    ...stamps,
  },
  (table) => [index('accounts_list').on(table.customerId, table.createdAt, table.id)],
);

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
    /** The whole ConversationState; the columns beside it are what lists filter and sort by. */
    data: text('data').notNull(),
    /** The time of the newest event that D1 knows. */
    activeAt: integer('active_at').notNull(),
    ...stamps,
  },
  (table) => [
    index('conversations_list').on(table.customerId, table.createdAt, table.id),
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

/** The logs of all objects, in the order in which they reached D1. What `GET /v1.0/events` reads and webhooks deliver. */
export const events = sqliteTable(
  'events',
  {
    position: integer('position').primaryKey({ autoIncrement: true }),
    customerId: text('customer_id').notNull(),
    /** The object whose log this is: a conversation, or a webhook endpoint for its own notices. */
    sourceId: text('source_id').notNull(),
    sequence: integer('sequence').notNull(),
    type: text('type').notNull(),
    messageId: text('message_id'),
    /** What the event itself fixed (domain/log-row.ts); a message's content is read from its row. */
    facts: text('facts').notNull(),
    at: integer('at').notNull(),
  },
  (table) => [
    uniqueIndex('events_log').on(table.sourceId, table.sequence),
    index('events_feed').on(table.customerId, table.position),
  ],
);

export const webhookEndpoints = sqliteTable(
  'webhook_endpoints',
  {
    id: text('id').primaryKey(),
    customerId: text('customer_id').notNull(),
    /** `customer`: the customer's own webhook_uri, under the customer's id. `endpoint`: one made over the API. */
    kind: text('kind').notNull(),
    name: text('name').notNull(),
    url: text('url').notNull(),
    method: text('method').notNull(),
    dialect: text('dialect').notNull(),
    /** Wire names; empty means all of the dialect. */
    eventTypes: text('event_types', { mode: 'json' }).$type<string[]>().notNull(),
    secretSealed: text('secret_sealed').notNull(),
    /** The secret before the last rotation, signed with as well until `previousUntil`. */
    previousSealed: text('previous_sealed'),
    previousUntil: integer('previous_until'),
    status: text('status').notNull(),
    disabledReason: text('disabled_reason').notNull(),
    /** Since when nothing succeeded; null while it works. */
    failingSince: integer('failing_since'),
    /** Counts this endpoint's own notices (tests, disabling): their sequence. */
    notices: integer('notices').notNull(),
    ...stamps,
  },
  (table) => [index('webhook_endpoints_list').on(table.customerId, table.createdAt, table.id)],
);

export const webhookDeliveries = sqliteTable(
  'webhook_deliveries',
  {
    /** `<event id>.<endpoint id>`: one delivery per event and endpoint, however often the log is projected. */
    id: text('id').primaryKey(),
    customerId: text('customer_id').notNull(),
    endpointId: text('endpoint_id').notNull(),
    eventId: text('event_id').notNull(),
    eventType: text('event_type').notNull(),
    sourceId: text('source_id').notNull(),
    sequence: integer('sequence').notNull(),
    status: text('status').notNull(),
    attempts: integer('attempts').notNull(),
    /** While pending: not before then. A claim moves it past its own lease. */
    nextAttemptMs: integer('next_attempt_ms').notNull(),
    responseStatus: integer('response_status'),
    responseTimeMs: integer('response_time_ms'),
    /** Why the last attempt failed, in our words: never a body, never a secret. */
    error: text('error').notNull(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (table) => [
    index('webhook_deliveries_list').on(table.customerId, table.createdAt, table.id),
    index('webhook_deliveries_due').on(table.status, table.nextAttemptMs),
    index('webhook_deliveries_endpoint').on(table.endpointId, table.status),
    index('webhook_deliveries_source').on(table.sourceId, table.sequence),
  ],
);

/** Answers of POSTs that carried an Idempotency-Key and made rows in D1. Kept 24 hours. */
export const idempotencyKeys = sqliteTable(
  'idempotency_keys',
  {
    customerId: text('customer_id').notNull(),
    key: text('key').notNull(),
    fingerprint: text('fingerprint').notNull(),
    /** The answer's body, sealed: it may hold a token that is shown once. */
    answerSealed: text('answer_sealed').notNull(),
    expiresMs: integer('expires_ms').notNull(),
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
