import { applyD1Migrations, evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, test } from 'vitest';
import stored from '../fixtures/stored/aa301288/identity.json';
import { eventually, newHub, newSandbox, ok, type Hub, type Json } from '../support/hub.ts';

/**
 * What release aa301288 had stored of five conversations, in D1 and in two of their objects (dumped in a worker test of that release):
 * two contacts who were merged, a group that somebody was removed from, and two visitors of the web chat, one of whom had typed an address
 * and one of whom had proved one. `shown`, `events` and `contacts` are what that release answered about them.
 */
type Stored = typeof stored;

const MIGRATION = '0009_identity.sql';
const [WINNER, LOSER] = ['+15558880001', 'greta@contact.example'];
const [HANS, HANS_MAIL, IDA] = ['+15558880002', 'hans@contact.example', '+15558880003'];
const [TYPED, PROVED] = ['jo@contact.example', 'kim@contact.example'];

let hub: Hub;
let old: Stored;

/** As if everything belonged to a customer of this test. */
function storedFor(replaced: Record<string, string>): Stored {
  const text = Object.entries(replaced).reduce((rest, [from, to]) => rest.replaceAll(from, to), JSON.stringify(stored));
  return JSON.parse(text);
}

const insert = (table: string, row: Json): D1PreparedStatement => {
  const columns = Object.keys(row);
  const values = columns.map(() => '?').join(', ');
  return env.DB.prepare(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${values})`).bind(...Object.values(row));
};

/** The database as that release left it, and then the migration, as the deployment of the next one runs it. */
async function migrate(): Promise<void> {
  await env.DB.batch(
    [
      'ALTER TABLE contact_address_history RENAME TO contact_traces',
      'ALTER TABLE contact_memberships RENAME TO contact_places',
      'DROP INDEX contact_address_history_address',
      'DROP INDEX contact_address_history_conversation',
      'DROP INDEX contact_memberships_contact',
      'CREATE INDEX contact_traces_address ON contact_traces (customer_id, target)',
      'CREATE INDEX contact_traces_conversation ON contact_traces (conversation_id)',
      'CREATE INDEX contact_places_contact ON contact_places (contact_id)',
      `DELETE FROM d1_migrations WHERE name = '${MIGRATION}'`,
    ].map((query) => env.DB.prepare(query)),
  );
  for (const [table, rows] of Object.entries(old.tables))
    if (rows.length > 0) await env.DB.batch(rows.map((row) => insert(table, row)));
  await applyD1Migrations(env.DB, env.MIGRATIONS);
}

async function load(id: string): Promise<void> {
  const object = env.CONVERSATION.getByName(id);
  const objects: Json = old.objects;
  const { schema, rows } = objects[id];
  await runInDurableObject(object, (_, { storage }) => {
    schema.forEach((statement: string) => storage.sql.exec(statement));
    for (const [table, all] of Object.entries<Json[]>(rows))
      for (const row of all) {
        const columns = Object.keys(row);
        const values = columns.map(() => '?').join(', ');
        const query = `INSERT INTO "${table}" (${columns.join(', ')}) VALUES (${values})`;
        storage.sql.exec(query, ...Object.values<SqlStorageValue>(row));
      }
  });
  await evictDurableObject(object);
}

beforeAll(async () => {
  hub = await newHub();
  const sms = await newSandbox(hub);
  const { ids } = stored;
  const plain = (id: string): string => id.replaceAll('-', '');
  old = storedFor({
    [ids.customerId]: hub.customerId,
    // Search keeps it without dashes.
    [plain(ids.customerId)]: plain(hub.customerId),
    [ids.sms]: sms.id,
  });
  await migrate();
  for (const id of Object.keys(old.objects)) await load(id);
});

const get = (path: string): Promise<Json> => ok(hub.call('GET', `/v1.0/${path}`));
const shownOf = (id: string): Json => Object.entries(old.shown).find(([key]) => key === id)?.[1];
const idsOf = ({ result }: Json): string[] => result.map(({ id }: Json) => id).toSorted();
/** Everything in D1 that holds conversations' content. */
async function leftOf(word: string): Promise<string[]> {
  const tables = Object.keys(old.tables).map((table) =>
    table.replace('contact_places', 'contact_memberships').replace('contact_traces', 'contact_address_history'),
  );
  const dumps = await Promise.all(tables.map((table) => env.DB.prepare(`SELECT * FROM ${table}`).all()));
  return tables.filter((_, index) => JSON.stringify(dumps[index]?.results).includes(word));
}

describe('what aa301288 stored, right after the migration', () => {
  test('is listed and read as it was shown', async () => {
    const { result } = await get('conversations?page_size=100');
    for (const each of result) expect(each).toEqual(shownOf(each.id));
    expect(result).toHaveLength(5);
    for (const id of Object.keys(old.objects)) expect(await get(`conversations/${id}`)).toEqual(shownOf(id));
    const jo = (await get(`conversations/${old.ids.typed}/participants`)).result;
    expect(jo).toMatchObject([{ type: 'chat', unverified: [{ type: 'email', target: TYPED }] }]);
  });

  test('is found by whatever reaches its people, and by its words', async () => {
    const found = async (peer: string) => idsOf(await get(`conversations?peer=${encodeURIComponent(peer)}`));
    const { into, from, group, typed, proved } = old.ids;
    expect(await found(WINNER)).toEqual([into]);
    expect(await found(LOSER)).toEqual([into, from].toSorted());
    // Hans has not written by mail: he only holds the address. Jo has only typed hers: a binding reaches it.
    expect(await found(HANS_MAIL)).toEqual([group]);
    expect(await found(TYPED)).toEqual([typed]);
    expect(await found(PROVED)).toEqual([proved]);
    expect(await found(IDA)).toEqual([]);
    expect(idsOf(await get('conversations?q=mailbox'))).toEqual([from]);
    expect(idsOf(await get('conversations?q=Hans'))).toEqual([group]);
  });

  test('is told again by the events, and shown by the contacts', async () => {
    const { result } = await get('events?page_size=100');
    expect(result.map(({ type, sequence }: Json) => [type, sequence])).toEqual(
      old.events.map(({ type, sequence }) => [type, sequence]),
    );
    const isAboutPeople = ({ type }: Json) => /^conversation_(created|updated|participant)/.test(type);
    expect(result.filter(isAboutPeople)).toEqual(old.events.filter(isAboutPeople));
    expect((await get('contacts?page_size=100')).result).toEqual(old.contacts);
    expect(idsOf(await get(`contacts?address=${encodeURIComponent(LOSER)}`))).toEqual([old.ids.winner]);
  });

  test('says of each address what it is worth', async () => {
    const standings = async (id: string): Promise<Json> => {
      const state = await env.CONVERSATION.getByName(id).read(hub.customerId);
      return state.ok && state.value.addresses.map((one) => 'target' in one && [one.target, one.standing]);
    };
    expect(await standings(old.ids.group)).toEqual([
      [HANS, 'verified'],
      [HANS_MAIL, 'verified'],
      [IDA, 'released'],
    ]);
    expect(await standings(old.ids.typed)).toContainEqual([TYPED, 'claimed']);
    const kim = await env.CONVERSATION.getByName(old.ids.proved).read(hub.customerId);
    const chat = kim.ok && kim.value.peer.target;
    expect(kim.ok && kim.value.addresses[0]).toMatchObject({ target: PROVED, provedBy: [`chat:${chat}`] });
  });

  test('is erased: first of one who had left, then of the one who was still there', async () => {
    const ida = old.tables.contacts.find(({ name }) => name === 'Ida')?.id ?? '';
    await ok(hub.call('DELETE', `/v1.0/contacts/${ida}?erase=true`));
    expect(await leftOf(IDA)).toEqual([]);
    expect((await get(`conversations/${old.ids.group}`)).participants).toEqual(shownOf(old.ids.group).participants);
    await ok(hub.call('DELETE', `/v1.0/contacts/${old.ids.hans}?erase=true`));
    for (const word of [HANS, HANS_MAIL, 'a word from Hans']) expect(await leftOf(word)).toEqual([]);
    expect((await hub.call('GET', `/v1.0/conversations/${old.ids.group}`)).status).toBe(404);
  });

  test('is undone, where it is a merger: each conversation has its own people again', async () => {
    const { into, from, merge, winner, loser } = old.ids;
    expect(await ok(hub.call('POST', `/v1.0/contact_merges/${merge}/undo`))).toMatchObject({
      undone: true,
      joined_conversations: [{ from, into }],
    });
    const tel = { type: 'tel', target: WINNER };
    const mail = { type: 'email', target: LOSER };
    expect((await get(`conversations/${into}`)).participants).toMatchObject([{ name: '', addresses: [tel] }]);
    const back = await get(`conversations/${from}`);
    expect(back).toMatchObject({ state: 'active', merged_into: '00000000-0000-0000-0000-000000000000' });
    expect(back.participants).toMatchObject([{ name: 'Greta', addresses: [mail] }]);
    await eventually(async () => {
      expect(await get(`contacts/${winner}`)).toMatchObject({ addresses: [tel], merged_ids: [] });
      expect(await get(`contacts/${loser}`)).toMatchObject({ name: 'Greta', addresses: [mail] });
    });
  });
});
