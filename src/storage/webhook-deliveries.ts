import { and, eq, gte, lte, sql, type SQL } from 'drizzle-orm';
import { dbOf, type Statement } from './db.ts';
import { afterCursor, newestFirst, pageOf, type Page, type PageRequest } from './page.ts';
import { webhookDeliveries } from './schema.ts';
import { microsOf, type Micros, type Millis } from '../domain/time.ts';

export type WebhookDelivery = typeof webhookDeliveries.$inferSelect;
export type DeliveryState = 'pending' | 'succeeded' | 'failed';

/** Longer than one attempt may take. A claim that has not reported by then has crashed, and the sweep finds its row. */
const CLAIM_MS = 30_000;

export const webhookDeliveryId = (eventId: string, endpointId: string): string => `${eventId}.${endpointId}`;

/** Claims the next attempt, if it is due. Of any number of concurrent consumers, exactly one gets it. */
export async function claimDelivery(env: Env, id: string, now: Millis): Promise<WebhookDelivery | null> {
  const table = webhookDeliveries;
  const due = and(eq(table.id, id), eq(table.status, 'pending'), lte(table.nextAttemptMs, now));
  const taken = { attempts: sql`${table.attempts} + 1`, nextAttemptMs: now + CLAIM_MS, updatedAt: microsOf(now) };
  return (await dbOf(env).update(table).set(taken).where(due).returning())[0] ?? null;
}

export type DeliveryOutcome = Pick<
  WebhookDelivery,
  'status' | 'responseStatus' | 'responseTimeMs' | 'error' | 'nextAttemptMs'
>;

export const recordOutcome = (env: Env, id: string, outcome: DeliveryOutcome, now: Millis): Statement =>
  dbOf(env)
    .update(webhookDeliveries)
    .set({ ...outcome, updatedAt: microsOf(now) })
    .where(eq(webhookDeliveries.id, id));

export const insertDelivery = (env: Env, delivery: WebhookDelivery): Statement =>
  dbOf(env).insert(webhookDeliveries).values(delivery).onConflictDoNothing();

export async function findDelivery(env: Env, customerId: string, id: string): Promise<WebhookDelivery | null> {
  const mine = and(eq(webhookDeliveries.id, id), eq(webhookDeliveries.customerId, customerId));
  return (await dbOf(env).select().from(webhookDeliveries).where(mine))[0] ?? null;
}

export interface DeliveryFilter {
  endpointId?: string;
  status?: DeliveryState;
  eventType?: string;
  conversationId?: string;
}

export async function listDeliveries(
  env: Env,
  customerId: string,
  filter: DeliveryFilter,
  request: PageRequest,
): Promise<Page<WebhookDelivery>> {
  const table = webhookDeliveries;
  const where = and(eq(table.customerId, customerId), ...conditions(filter), afterCursor(table, request.cursor));
  const query = dbOf(env).select().from(table).where(where);
  return pageOf(await query.orderBy(...newestFirst(table)).limit(request.size + 1), request.size);
}

const conditions = (filter: DeliveryFilter): SQL[] => [
  ...(filter.endpointId === undefined ? [] : [eq(webhookDeliveries.endpointId, filter.endpointId)]),
  ...(filter.status === undefined ? [] : [eq(webhookDeliveries.status, filter.status)]),
  ...(filter.eventType === undefined ? [] : [eq(webhookDeliveries.eventType, filter.eventType)]),
  ...(filter.conversationId === undefined ? [] : [eq(webhookDeliveries.sourceId, filter.conversationId)]),
];

/** Restarts a delivery: it is due immediately, with the whole retry schedule ahead of it. */
export const restartDelivery = (env: Env, id: string, now: Millis): Statement =>
  dbOf(env)
    .update(webhookDeliveries)
    .set({ status: 'pending', attempts: 0, nextAttemptMs: now, updatedAt: microsOf(now) })
    .where(eq(webhookDeliveries.id, id));

/**
 * The ids of due deliveries: jobs that the queue lost, and delays that are longer than a queue allows. Endpoints take turns, each with its
 * oldest delivery first, so that a long backlog of one does not delay the others.
 */
export async function overdueDeliveries(env: Env, now: Millis, limit: number): Promise<string[]> {
  const { results } = await env.DB.prepare(OVERDUE).bind(now, limit).all<{ id: string }>();
  return results.map((row) => row.id);
}

const OVERDUE = `
  SELECT id FROM (
    SELECT id, row_number() OVER (PARTITION BY endpoint_id ORDER BY next_attempt_ms) AS turn
    FROM webhook_deliveries WHERE status = 'pending' AND next_attempt_ms <= ?1
  ) ORDER BY turn LIMIT ?2`;

/** Restarts the failed deliveries of an endpoint that were created since then. @returns how many there were. */
export async function restartFailed(env: Env, endpointId: string, since: Micros, now: Millis): Promise<number> {
  const table = webhookDeliveries;
  const missed = and(eq(table.endpointId, endpointId), eq(table.status, 'failed'), gte(table.createdAt, since));
  const again = { status: 'pending', attempts: 0, nextAttemptMs: now, updatedAt: microsOf(now) };
  return (await dbOf(env).update(table).set(again).where(missed).returning({ id: table.id })).length;
}

/** Deletes up to `limit` deliveries that succeeded before then. Failed ones stay, because they can still be retried. */
export async function dropOldDeliveries(env: Env, before: Millis, limit: number): Promise<void> {
  await env.DB.prepare(DROP_OLD).bind(before, limit).run();
}

const DROP_OLD = `
  DELETE FROM webhook_deliveries WHERE id IN (
    SELECT id FROM webhook_deliveries WHERE status = 'succeeded' AND next_attempt_ms < ?1 LIMIT ?2
  )`;
