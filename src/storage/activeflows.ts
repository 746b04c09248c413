import { and, eq, lt } from 'drizzle-orm';
import { dbOf } from './db.ts';
import { findFlow } from './flows.ts';
import { afterCursor, newestFirst, pageOf, type Page, type PageRequest } from './page.ts';
import { activeflows } from './schema.ts';
import type { FlowStart } from '../domain/conversation/automation.ts';
import type { ActiveflowStatus } from '../domain/flow/progress.ts';
import type { Variables } from '../domain/flow/variables.ts';
import { microsOf, SECOND, type Millis } from '../domain/time.ts';

export type Activeflow = typeof activeflows.$inferSelect;

/** As long as an action may take, its repeats included, before the sweep looks after it. */
export const ACTION_MS = 30 * SECOND;
/** The same for waking up from a rest. */
export const WAKING_MS = 5 * SECOND;

/** Makes the row of a started flow, once. False when the flow does not exist any more. */
export async function beginActiveflow(
  env: Env,
  customerId: string,
  conversationId: string,
  start: FlowStart & { variables: Variables },
  now: Millis,
): Promise<boolean> {
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
    steps: 0,
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

/** Whoever's it is: the Workflow that runs it knows the id alone. */
export const findAnyActiveflow = async (env: Env, id: string): Promise<Activeflow | null> =>
  (await dbOf(env).select().from(activeflows).where(eq(activeflows.id, id)))[0] ?? null;

export async function findActiveflow(env: Env, customerId: string, id: string): Promise<Activeflow | null> {
  const found = await findAnyActiveflow(env, id);
  return found?.customerId === customerId ? found : null;
}

/** Each one that is given must match. */
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
): Promise<Page<Activeflow>> {
  const { flowId, conversationId, status } = filter;
  const mine = and(
    eq(activeflows.customerId, customerId),
    afterCursor(activeflows, request.cursor),
    flowId === undefined ? undefined : eq(activeflows.flowId, flowId),
    conversationId === undefined ? undefined : eq(activeflows.conversationId, conversationId),
    status === undefined ? undefined : eq(activeflows.status, status),
  );
  const query = dbOf(env).select().from(activeflows).where(mine);
  return pageOf(await query.orderBy(...newestFirst(activeflows)).limit(request.size + 1), request.size);
}

export type Advance = Partial<
  Pick<Activeflow, 'status' | 'error' | 'position' | 'steps' | 'variables' | 'executed' | 'dueMs' | 'epoch'>
>;

/** Moves a running activeflow on. One that was stopped meanwhile stays stopped. */
export async function advanceActiveflow(env: Env, id: string, advance: Advance, now: Millis): Promise<void> {
  await dbOf(env)
    .update(activeflows)
    .set({ ...advance, updatedAt: microsOf(now) })
    .where(and(eq(activeflows.id, id), eq(activeflows.status, 'running')));
}

/** Those that should have gone on by now. */
export async function overdueActiveflows(env: Env, now: Millis, limit: number): Promise<string[]> {
  const overdue = and(eq(activeflows.status, 'running'), lt(activeflows.dueMs, now));
  const rows = await dbOf(env).select({ id: activeflows.id }).from(activeflows).where(overdue).limit(limit);
  return rows.map((row) => row.id);
}
