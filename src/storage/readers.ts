import { and, isNull, sql, type SQL } from 'drizzle-orm';
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core';
import { dbOf } from './db.ts';
import { accessKeys, accounts, agents } from './schema.ts';
import { microsOf } from '../domain/time.ts';

/** Who has a live stream open (objects/live/protocol.ts), named by the credential that can be revoked. */
export type StreamReader =
  | { kind: 'agent'; customerId: string; agentId: string; version: number }
  | { kind: 'accesskey'; customerId: string; keyId: string }
  | { kind: 'visitor'; customerId: string; accountId: string };

/** The readers whose credential is no longer valid, read from D1. @throws while D1 does not respond. */
export async function revokedReaders<R extends StreamReader>(env: Env, readers: R[]): Promise<Set<R>> {
  const valid = new Set([
    ...(await validAgents(
      env,
      idsOf(readers, (reader) => reader.kind === 'agent' && reader.agentId),
    )),
    ...(await validKeys(
      env,
      idsOf(readers, (reader) => reader.kind === 'accesskey' && reader.keyId),
    )),
    ...(await validAccounts(
      env,
      idsOf(readers, (reader) => reader.kind === 'visitor' && reader.accountId),
    )),
  ]);
  return new Set(readers.filter((reader) => !valid.has(nameOf(reader))));
}

function nameOf(reader: StreamReader): string {
  if (reader.kind === 'agent') return agentName(reader.agentId, reader.customerId, reader.version);
  return reader.kind === 'visitor' ? reader.accountId : reader.keyId;
}

const agentName = (id: string, customerId: string, version: number): string => `${id} ${customerId} ${version}`;

const idsOf = <R>(readers: R[], idOf: (reader: R) => string | false): string[] => [
  ...new Set(readers.map(idOf).filter((id) => id !== false)),
];

async function validAgents(env: Env, ids: string[]): Promise<string[]> {
  if (ids.length === 0) return [];
  const notDeleted = and(isOneOf(agents.id, ids), isNull(agents.deletedAt));
  const rows = await dbOf(env).select().from(agents).where(notDeleted);
  return rows.map((agent) => agentName(agent.id, agent.customerId, agent.tokenVersion));
}

async function validKeys(env: Env, ids: string[]): Promise<string[]> {
  if (ids.length === 0) return [];
  const notDeleted = and(isOneOf(accessKeys.id, ids), isNull(accessKeys.deletedAt));
  const rows = await dbOf(env).select().from(accessKeys).where(notDeleted);
  return rows.filter((key) => key.expiresAt > microsOf(Date.now())).map((key) => key.id);
}

async function validAccounts(env: Env, ids: string[]): Promise<string[]> {
  if (ids.length === 0) return [];
  const notDeleted = and(isOneOf(accounts.id, ids), isNull(accounts.deletedAt));
  return (await dbOf(env).select({ id: accounts.id }).from(accounts).where(notDeleted)).map(({ id }) => id);
}

/** Passes any number of ids as one parameter, because D1 allows 100 parameters. */
const isOneOf = (column: SQLiteColumn, ids: string[]): SQL =>
  sql`${column} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`;
