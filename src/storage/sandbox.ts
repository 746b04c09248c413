import { and, eq, gt, sql, type SQL } from 'drizzle-orm';
import { dbOf, type Statement } from './db.ts';
import { afterCursor, newestFirst, pageOf, type Page, type PageRequest } from './page.ts';
import { sandboxFaults, sandboxMessages } from './schema.ts';

export type SandboxMessage = typeof sandboxMessages.$inferSelect;
export type SandboxFault = typeof sandboxFaults.$inferSelect;

/** Stores a message on the contact's phone. A repeat with the same key is dropped. @returns the id of the stored message. */
export async function receiveOnPhone(env: Env, message: SandboxMessage): Promise<string> {
  await dbOf(env)
    .insert(sandboxMessages)
    .values({ ...message, createdAt: arrivalTime(message) })
    .onConflictDoNothing();
  const same = and(
    eq(sandboxMessages.accountId, message.accountId),
    eq(sandboxMessages.idempotencyKey, message.idempotencyKey),
  );
  return (await dbOf(env).select({ id: sandboxMessages.id }).from(sandboxMessages).where(same))[0]?.id ?? message.id;
}

/** Later than every message on this phone, so that the outbox shows the order of arrival even within one millisecond. */
const arrivalTime = ({ accountId, createdAt }: SandboxMessage): SQL<number> =>
  sql`max(${createdAt}, 1 + coalesce((SELECT max(created_at) FROM sandbox_messages WHERE account_id = ${accountId}), 0))`;

export async function listOnPhone(env: Env, accountId: string, request: PageRequest): Promise<Page<SandboxMessage>> {
  const where = and(eq(sandboxMessages.accountId, accountId), afterCursor(sandboxMessages, request.cursor));
  const query = dbOf(env).select().from(sandboxMessages).where(where);
  return pageOf(await query.orderBy(...newestFirst(sandboxMessages)).limit(request.size + 1), request.size);
}

/** Replaces the planned faults. `remaining` 0 ends them. */
export const setFault = (env: Env, fault: SandboxFault): Statement =>
  dbOf(env).insert(sandboxFaults).values(fault).onConflictDoUpdate({ target: sandboxFaults.accountId, set: fault });

/** Consumes one planned fault of the account, if any is left. */
export async function takeFault(env: Env, accountId: string): Promise<SandboxFault | null> {
  const left = and(eq(sandboxFaults.accountId, accountId), gt(sandboxFaults.remaining, 0));
  const used = dbOf(env)
    .update(sandboxFaults)
    .set({ remaining: sql`${sandboxFaults.remaining} - 1` });
  return (await used.where(left).returning())[0] ?? null;
}
