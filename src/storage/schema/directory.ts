import { sql } from 'drizzle-orm';
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';
import { stamps } from './stamps.ts';

/** The customers' directory. D1 is the source of truth for it. */

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
    /** Part of every token; increasing it invalidates all tokens of this agent. */
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
    /** Whether a message that fails permanently on this account is sent through the contact's next channel. */
    fallback: integer('fallback', { mode: 'boolean' }).notNull().default(false),
    /** AES-GCM, see security/secret-box.ts. */
    secretSealed: text('secret_sealed').notNull(),
    tokenSealed: text('token_sealed').notNull(),
    providerData: text('provider_data', { mode: 'json' }).$type<Record<string, string | string[]>>().notNull(),
    ...stamps,
  },
  (table) => [
    index('accounts_list').on(table.customerId, table.createdAt, table.id),
    // A mail names only its address, so no two accounts may share one.
    uniqueIndex('accounts_mail_address')
      .on(sql`${table.providerData} ->> 'address'`)
      .where(sql`type = 'email' AND deleted_at IS NULL`),
  ],
);
