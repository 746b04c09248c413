import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import stored from '../fixtures/stored/aa301288/objects.json';
import type { AddressKey } from '../../src/domain/addresses.ts';
import { addressName } from '../../src/objects/stubs.ts';
import type { Json } from './hub.ts';

/** The storage of one object. */
interface Dump {
  schema: string[];
  rows: Record<string, Record<string, SqlStorageValue>[]>;
  kv: Record<string, unknown>;
}

export interface StoredObjects {
  ids: typeof stored.ids;
  conversation: Dump;
  merged: Dump;
  chat: Dump;
  talk: Dump;
  talkPair: Dump;
}

/** When its objects stored it. Milliseconds. */
const STORED_AT = 1_795_863_997_000;

/**
 * What aa301288 stored, as if it belonged to a customer of this test (`replaced`: other ids for those of the fixture) and had been stored
 * a moment ago: leases and deadlines are as far away as they were.
 */
export async function storedObjects(replaced: Record<string, string>): Promise<StoredObjects> {
  const renamed = replaceAll(JSON.stringify(stored), replaced);
  const names = Object.entries(readJson(renamed).addressNames as Record<string, AddressKey>);
  const hashes = await Promise.all(names.map(async ([name, key]) => [name, await addressName(key)] as const));
  return readJson(replaceAll(shiftTimes(renamed), Object.fromEntries(hashes)));
}

const readJson = (text: string): Json => JSON.parse(text);

const replaceAll = (text: string, replaced: Record<string, string>): string =>
  Object.entries(replaced).reduce((rest, [from, to]) => rest.replaceAll(from, to), text);

/** Every number of 13 digits is milliseconds, every one of 16 microseconds. */
function shiftTimes(text: string): string {
  const shift = Date.now() - STORED_AT;
  return text.replace(/\b1795\d{9}(?:\d{3})?\b/g, (time) =>
    String(Number(time) + shift * (time.length === 16 ? 1000 : 1)),
  );
}

/** Puts it into an object that has stored nothing, which opens it when it is called next. */
export async function load(stub: DurableObjectStub, dump: Dump): Promise<void> {
  await runInDurableObject(stub, (_, { storage }) => fill(storage, dump));
  await evictDurableObject(stub);
}

export function fill(storage: DurableObjectStorage, { schema, rows, kv }: Dump): void {
  schema.forEach((statement) => storage.sql.exec(statement));
  for (const [table, all] of Object.entries(rows)) for (const row of all) insert(storage.sql, table, row);
  for (const [key, value] of Object.entries(kv)) storage.kv.put(key, value);
}

function insert(sql: SqlStorage, table: string, row: Record<string, SqlStorageValue>): void {
  const columns = Object.keys(row);
  const query = `INSERT INTO "${table}" (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`;
  sql.exec(query, ...Object.values(row));
}
