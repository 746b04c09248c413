import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import { faults } from '../support/faults.ts';
import { eventually, newHub, ok, type Hub, type Json } from '../support/hub.ts';
import { newPeople, type Person } from '../support/people.ts';

let hub: Hub;
let ann: Person;
let bob: Person;

beforeAll(async () => {
  hub = await newHub();
  [ann, bob] = (await newPeople(hub, ['Ann', 'Bob'])) as [Person, Person];
});

afterEach(() => vi.useRealTimers());

const newTalk = (): Promise<Json> => ok(ann.call('POST', '/v1.0/talks', { participant_ids: [bob.id] }));
const say = (by: Person, talk: Json, text: string): Promise<Json> =>
  ok(by.call('POST', `/v1.0/talks/${talk.id}/messages`, { text }));
const objectOf = (talk: Json) => env.TALK.getByName(talk.id.slice(0, 18));
const rows = async (query: string, id: string): Promise<Json[]> => (await env.DB.prepare(query).bind(id).all()).results;

/** What the object holds, and what D1 has of it, in one form. */
const owned = (talk: Json): Promise<Json> =>
  runInDurableObject(objectOf(talk), (_, { storage }) => {
    const all = (query: string): Json[] => storage.sql.exec(query).toArray();
    return {
      log: all('SELECT sequence, type, message_id, facts, at FROM log ORDER BY sequence'),
      messages: all(
        `SELECT data ->> 'id' AS id, sequence, owner_id, deleted, data, created_at FROM messages ORDER BY sequence`,
      ),
      members: all('SELECT data FROM participants ORDER BY agent_id').map(({ data }) => {
        const { agentId, readSequence } = JSON.parse(data);
        return { agent_id: agentId, read_sequence: readSequence };
      }),
    };
  });
const projected = async (talk: Json): Promise<Json> => ({
  log: await rows(
    'SELECT sequence, type, message_id, facts, at FROM events WHERE source_id = ? ORDER BY sequence',
    talk.id,
  ),
  messages: await rows(
    'SELECT id, sequence, owner_id, deleted, data, created_at FROM talk_messages WHERE talk_id = ? ORDER BY sequence',
    talk.id,
  ),
  members: await rows(
    'SELECT agent_id, read_sequence FROM talk_participants WHERE talk_id = ? ORDER BY agent_id',
    talk.id,
  ),
});
const settled = (talk: Json): Promise<void> =>
  eventually(async () => expect(await projected(talk)).toEqual(await owned(talk)));

async function later(talk: Json, ms = 10 * 60_000): Promise<void> {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms });
  await runDurableObjectAlarm(objectOf(talk));
}

/** Something of everything that a talk has. */
async function live(talk: Json): Promise<void> {
  const { id, sequence } = await say(ann, talk, 'one');
  await ok(bob.call('POST', `/v1.0/messages/${id}/reactions`, { emoji: 'x' }));
  await ok(ann.call('PUT', `/v1.0/messages/${id}`, { text: 'one and a half' }));
  await ok(bob.call('PUT', `/v1.0/talks/${talk.id}/read`, { sequence }));
  const { id: gone } = await say(bob, talk, 'two');
  await ok(bob.call('DELETE', `/v1.0/messages/${gone}`));
  await ok(ann.call('PUT', `/v1.0/talks/${talk.id}`, { name: 'busy' }));
}

test('after a drain D1 has the talk’s log, messages and read positions exactly', async () => {
  const talk = await newTalk();
  await live(talk);
  await settled(talk);
});

test('with D1 away a talk goes on, and D1 catches up afterwards, also over an eviction', async () => {
  const talk = await newTalk();
  await settled(talk);
  faults.d1 = true;
  await live(talk);
  await evictDurableObject(objectOf(talk));
  await live(talk);
  expect((await ok(bob.call('GET', `/v1.0/talks/${talk.id}/messages`))).result).toHaveLength(4);
  faults.d1 = false;
  await later(talk);
  await settled(talk);
});

test('with D1 losing its answers, repeated projections change nothing', async () => {
  const talk = await newTalk();
  await settled(talk);
  faults.d1AnswerLost = true;
  await live(talk);
  faults.d1AnswerLost = false;
  await later(talk);
  await settled(talk);
});

test('with D1 hanging, nobody waits for it', async () => {
  const talk = await newTalk();
  await settled(talk);
  faults.d1BatchHangs = true;
  await live(talk);
  faults.d1BatchHangs = false;
  await evictDurableObject(objectOf(talk));
  await later(talk);
  await settled(talk);
});

test('an object whose alarm was lost is brought back by the cron', async () => {
  const talk = await newTalk();
  await settled(talk);
  faults.d1 = true;
  await live(talk);
  faults.d1 = false;
  await runInDurableObject(objectOf(talk), (_, { storage }) => storage.deleteAlarm());
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 });
  await objectOf(talk).backstop();
  await settled(talk);
});

test('an old batch that D1 carries out late brings no removed participant back', async () => {
  const talk = await newTalk();
  await settled(talk);
  const before = await projected(talk);
  const { result } = await ok(ann.call('GET', `/v1.0/talks/${talk.id}/participants`));
  const { id } = result.find(({ owner_id }: Json) => owner_id === bob.id);
  await ok(ann.call('DELETE', `/v1.0/talks/${talk.id}/participants/${id}`));
  await settled(talk);
  const { projectTalk } = await import('../../src/storage/talk-projection.ts');
  const participants = new Map(
    before.members.map((row: Json) => [row.agent_id, { agentId: row.agent_id, readSequence: row.read_sequence }]),
  );
  const state = { ...JSON.parse((await rows('SELECT data FROM talks WHERE id = ?', talk.id))[0]?.data), sequence: 3 };
  const log = before.log.map((row: Json) => ({ ...row, messageId: row.message_id }));
  const late: Json = { talk: { state, participants }, rows: log, messages: '[]', reads: [], announcements: [] };
  await projectTalk(env.DB, late, Date.now());
  expect(await projected(talk)).toEqual(await owned(talk));
});
