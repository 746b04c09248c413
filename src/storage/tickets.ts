import { and, eq, gt, lt } from 'drizzle-orm';
import { z } from 'zod';
import { dbOf, type Statement } from './db.ts';
import { streamTickets } from './schema.ts';
import type { Principal } from '../domain/permissions.ts';
import type { Millis } from '../domain/time.ts';

const principalSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('agent'), customerId: z.string(), agentId: z.string(), permission: z.number() }),
  z.object({ kind: z.literal('accesskey'), customerId: z.string(), keyId: z.string() }),
]);

export interface Ticket {
  principal: Principal;
  /** The agent's token version when the ticket was issued: what invalidates the agent's tokens invalidates the ticket. 0 for access keys. */
  tokenVersion: number;
}

export const insertTicket = (env: Env, hash: string, ticket: Ticket, expiresMs: Millis): Statement =>
  dbOf(env)
    .insert(streamTickets)
    .values({ hash, principal: JSON.stringify(ticket.principal), tokenVersion: ticket.tokenVersion, expiresMs });

/** Deletes and returns the ticket. Of any number of concurrent callers, exactly one gets it. */
export async function redeemTicket(env: Env, hash: string, now: Millis): Promise<Ticket | null> {
  const valid = and(eq(streamTickets.hash, hash), gt(streamTickets.expiresMs, now));
  const row = (await dbOf(env).delete(streamTickets).where(valid).returning())[0];
  return row ? { principal: principalSchema.parse(JSON.parse(row.principal)), tokenVersion: row.tokenVersion } : null;
}

export const dropExpiredTickets = (env: Env, now: Millis): Statement =>
  dbOf(env).delete(streamTickets).where(lt(streamTickets.expiresMs, now));
