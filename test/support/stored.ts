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

/** When the objects of the fixture were stored. Milliseconds. */
const STORED_AT = 1_795_863_997_000;

/**
 * The objects that aa301288 stored, moved to a customer of this test (`replaced`: new ids for those of the fixture) and to the present, so
 * that leases and deadlines are as far away as they were then.
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

/** Times have 13 digits in milliseconds and 16 in microseconds. */
function shiftTimes(text: string): string {
  const shift = Date.now() - STORED_AT;
  return text.replace(/\b1795\d{9}(?:\d{3})?\b/g, (time) =>
    String(Number(time) + shift * (time.length === 16 ? 1000 : 1)),
  );
}

/** Fills an object that has stored nothing, and evicts it, so that its next call reads the dump. */
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
