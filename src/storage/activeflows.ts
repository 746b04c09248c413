import { and, asc, eq, lt, type SQL } from 'drizzle-orm';
import { dbOf } from './db.ts';
import { findFlow } from './flows.ts';
import { afterCursor, newestFirst, pageOf, type Page, type PageRequest } from './page.ts';
import { activeflows, messages } from './schema.ts';
import type { FlowStart } from '../domain/conversation/automation/automation.ts';
import { readMessage } from '../domain/conversation/events.ts';
import type { Message } from '../domain/conversation/state.ts';
import type { ActiveflowStatus } from '../domain/flow/progress.ts';
import type { Variables } from '../domain/flow/variables.ts';
import { microsOf, SECOND, type Millis } from '../domain/time.ts';

export type Activeflow = typeof activeflows.$inferSelect;

/** How long an action may take, retries included, before the sweep checks on it. */
export const ACTION_MS = 30 * SECOND;
/** How late the wake-up after a sleep may be before the sweep checks on it. */
export const WAKING_MS = 5 * SECOND;

/** Creates the row of a started flow. Idempotent. False if the flow no longer exists. */
export async function beginActiveflow(
  env: Env,
  customerId: string,
  conversationId: string,
  start: FlowStart & { variables: Variables },
  now: Millis,
): Promise<boolean> {
  if (await findAnyActiveflow(env, start.activeflowId)) return true;
  const flow = await findFlow(env, customerId, start.flowId);
  if (!flow) return false;
  const row: Activeflow = {
    id: start.activeflowId,
    customerId,
    flowId: flow.id,
    flowName: flow.name,
    conversationId,
    messageId: start.messageId,
    fenced: flow.fenced,
    epoch: start.epoch,
    status: flow.actions.length === 0 ? 'ended' : 'running',
    error: '',
    actions: flow.actions,
    position: 0,
    resumeAt: null,
    steps: 0,
    next: { kind: 'go' },
    variables: start.variables,
    executed: [],
    dueMs: now + ACTION_MS,
    createdAt: microsOf(now),
    updatedAt: microsOf(now),
    deletedAt: null,
  };
  await dbOf(env).insert(activeflows).values(row).onConflictDoNothing();
  return true;
}

/** The activeflow of any customer, because the Workflow that runs it knows only the id. */
export const findAnyActiveflow = async (env: Env, id: string): Promise<Activeflow | null> =>
  (await dbOf(env).select().from(activeflows).where(eq(activeflows.id, id)))[0] ?? null;

/** An activeflow with the message that started it, as D1 has it; null if that message was deleted. */
export interface ActiveflowView {
  activeflow: Activeflow;
  message: Message | null;
}

const views = (env: Env, where: SQL | undefined) =>
  dbOf(env)
    .select({ activeflow: activeflows, message: messages.data })
    .from(activeflows)
    .leftJoin(
      messages,
      and(eq(messages.conversationId, activeflows.conversationId), eq(messages.id, activeflows.messageId)),
    )
    .where(where);

const viewOf = ({ activeflow, message }: { activeflow: Activeflow; message: string | null }): ActiveflowView => ({
  activeflow,
  message: message === null ? null : readMessage(message),
});

export async function findActiveflow(env: Env, customerId: string, id: string): Promise<ActiveflowView | null> {
  const found = (await views(env, and(eq(activeflows.id, id), eq(activeflows.customerId, customerId))))[0];
  return found ? viewOf(found) : null;
}

/** All given filters must match. */
export interface ActiveflowFilter {
  flowId?: string;
  conversationId?: string;
  status?: ActiveflowStatus;
}

export async function listActiveflows(
  env: Env,
  customerId: string,
  filter: ActiveflowFilter,
  request: PageRequest,
): Promise<Page<ActiveflowView>> {
  const { flowId, conversationId, status } = filter;
  const mine = and(
    eq(activeflows.customerId, customerId),
    afterCursor(activeflows, request.cursor),
    flowId === undefined ? undefined : eq(activeflows.flowId, flowId),
    conversationId === undefined ? undefined : eq(activeflows.conversationId, conversationId),
    status === undefined ? undefined : eq(activeflows.status, status),
  );
  const rows = await views(env, mine)
    .orderBy(...newestFirst(activeflows))
    .limit(request.size + 1);
  const found = rows.map((row) => ({ ...viewOf(row), id: row.activeflow.id, createdAt: row.activeflow.createdAt }));
  return pageOf(found, request.size);
}

export type Advance = Partial<
  Pick<
    Activeflow,
    'status' | 'error' | 'position' | 'resumeAt' | 'steps' | 'next' | 'variables' | 'executed' | 'dueMs' | 'epoch'
  >
>;

/**
 * Advances a running activeflow from the position at which it was read: a late attempt overwrites nothing, and a stopped activeflow stays
 * stopped. @returns false if it was no longer at that position.
 */
export async function advanceActiveflow(env: Env, from: Activeflow, advance: Advance, now: Millis): Promise<boolean> {
  const still = and(eq(activeflows.id, from.id), eq(activeflows.status, 'running'), eq(activeflows.steps, from.steps));
  const moved = dbOf(env)
    .update(activeflows)
    .set({ ...advance, updatedAt: microsOf(now) });
  return (await moved.where(still).returning({ id: activeflows.id })).length > 0;
}

/** Ends an activeflow at any position. */
export async function endActiveflow(env: Env, id: string, status: ActiveflowStatus, error: string, now: Millis) {
  await dbOf(env)
    .update(activeflows)
    .set({ status, error, next: { kind: 'over' }, updatedAt: microsOf(now) })
    .where(and(eq(activeflows.id, id), eq(activeflows.status, 'running')));
}

/** Postpones the sweep's check until `dueMs`. */
export async function postponeCheck(env: Env, id: string, dueMs: Millis): Promise<void> {
  await dbOf(env).update(activeflows).set({ dueMs }).where(eq(activeflows.id, id));
}

/** Activeflows that should have continued by now, longest overdue first. */
export async function overdueActiveflows(env: Env, now: Millis, limit: number): Promise<string[]> {
  const overdue = and(eq(activeflows.status, 'running'), lt(activeflows.dueMs, now));
  const found = dbOf(env).select({ id: activeflows.id }).from(activeflows).where(overdue);
  return (await found.orderBy(asc(activeflows.dueMs)).limit(limit)).map((row) => row.id);
}
