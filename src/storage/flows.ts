import { and, eq, isNull } from 'drizzle-orm';
import { dbOf, isOwned, type Statement } from './db.ts';
import { afterCursor, newestFirst, pageOf, type Page, type PageRequest } from './page.ts';
import { flows } from './schema.ts';
import type { Micros } from '../domain/time.ts';

export type Flow = typeof flows.$inferSelect;

export const insertFlow = (env: Env, flow: Flow): Statement => dbOf(env).insert(flows).values(flow);

export const findFlow = async (env: Env, customerId: string, id: string): Promise<Flow | null> =>
  (
    await dbOf(env)
      .select()
      .from(flows)
      .where(isOwned(flows, customerId, id))
  )[0] ?? null;

export async function listFlows(env: Env, customerId: string, request: PageRequest): Promise<Page<Flow>> {
  const mine = and(eq(flows.customerId, customerId), isNull(flows.deletedAt), afterCursor(flows, request.cursor));
  const query = dbOf(env).select().from(flows).where(mine);
  return pageOf(await query.orderBy(...newestFirst(flows)).limit(request.size + 1), request.size);
}

export type FlowChanges = Partial<Pick<Flow, 'name' | 'detail' | 'fenced' | 'actions' | 'deletedAt'>>;

export async function updateFlow(env: Env, flow: Flow, changes: FlowChanges, updatedAt: Micros): Promise<void> {
  await dbOf(env)
    .update(flows)
    .set({ ...changes, updatedAt })
    .where(isOwned(flows, flow.customerId, flow.id));
}
