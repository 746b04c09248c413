import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { stamps } from './stamps.ts';

/** Webhook endpoints and deliveries. */

export const webhookEndpoints = sqliteTable(
  'webhook_endpoints',
  {
    id: text('id').primaryKey(),
    customerId: text('customer_id').notNull(),
    /** `customer`: the customer's own webhook_uri, under the customer's id. `endpoint`: one created through the API. */
    kind: text('kind').notNull(),
    name: text('name').notNull(),
    url: text('url').notNull(),
    method: text('method').notNull(),
    dialect: text('dialect').notNull(),
    /** Wire names. Empty: all event types of the dialect. */
    eventTypes: text('event_types', { mode: 'json' }).$type<string[]>().notNull(),
    secretSealed: text('secret_sealed').notNull(),
    /** The secret before the last rotation, also used for signing until `previousUntil`. */
    previousSealed: text('previous_sealed'),
    previousUntil: integer('previous_until'),
    status: text('status').notNull(),
    disabledReason: text('disabled_reason').notNull(),
    /** Since when no delivery has succeeded; null while the endpoint works. */
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
    /** While pending: the time of the next attempt. A claim moves it past its own lease. */
    nextAttemptMs: integer('next_attempt_ms').notNull(),
    responseStatus: integer('response_status'),
    responseTimeMs: integer('response_time_ms'),
    /** Why the last attempt failed, in our own words: never a body or a secret. */
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
