import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import { ConversationAggregate } from '../../src/objects/conversation/aggregate.ts';
import { ConversationFeed } from '../../src/objects/conversation/projection.ts';
import type { Publication } from '../../src/objects/live/feed-protocol.ts';
import { FeedSink } from '../../src/objects/projection/feed-sink.ts';
import { inbound, newHub, newSandbox, ok, type Hub, type Json } from '../support/hub.ts';
import { openSocket, type LiveSocket } from '../support/live.ts';
import { newPeople, type Person } from '../support/people.ts';
import { SOMEBODY } from '../unit/domain/support.ts';

let hub: Hub;
let account: Json;
let ann: Person;
let bob: Person;
let boss: Person;

beforeAll(async () => {
  hub = await newHub();
  account = await newSandbox(hub);
  [ann, bob] = (await newPeople(hub, ['Ann', 'Bob'])) as [Person, Person];
  [boss] = (await newPeople(hub, ['Boss'], 64)) as [Person];
});

afterEach(() => vi.useRealTimers());

interface Feed extends LiveSocket {
  subscribe(...topics: string[]): Promise<Json>;
  /** The events up to a mark that this very call makes: what should not have come has not come. */
  events(mark: () => Promise<unknown>, isMark: (frame: Json) => boolean): Promise<Json[]>;
}

async function feedOf(token: string, path = '/v1.0/ws'): Promise<Feed> {
  const socket = await openSocket(path, { authorization: `Bearer ${token}` });
  const ask = async (type: string, topics: string[]): Promise<Json> => {
    socket.send(JSON.stringify({ type, topics, client_id: 'ask' }));
    for (;;) {
      const frame = await socket.next();
      if (frame.type === 'ack') return frame;
    }
  };
  return Object.assign(socket, {
    subscribe: (...topics: string[]) => ask('subscribe', topics),
    events: async (mark: () => Promise<unknown>, isMark: (frame: Json) => boolean) => {
      const seen: Json[] = [];
      await mark();
      for (;;) {
        const frame = await socket.next();
        if (isMark(frame)) return seen;
        seen.push(frame);
      }
    },
  });
}

let contacts = 0;
const write = (text: string, from = `+1555600${String((contacts += 1)).padStart(4, '0')}`): Promise<Json> =>
  inbound(hub, account.id, from, text);
const marked = (text: string) => (frame: Json) => frame.data?.text === text;

test('a manager hears of every conversation of the customer, each event once, however many topics fit', async () => {
  const feed = await feedOf(boss.token);
  const own = `customer_id:${hub.customerId}`;
  await feed.subscribe(own, `${own}:conversation`, `${own}:conversation:conversation_message_created`);
  const { conversation_id: id } = await write('first');
  const events = await feed.events(() => write('mark'), marked('mark'));
  const first = events.filter(({ data }) => data.id === id || data.conversation_id === id);
  expect(first.map(({ type }) => type)).toEqual(['conversation_created', 'conversation_message_created']);
  expect(first[1]).toMatchObject({ sequence: 2, data: { text: 'first' } });
  feed.close();
});

test('topics narrow by prefix: one conversation, or one kind of event', async () => {
  const [one, kind] = [await feedOf(hub.accessKey), await feedOf(hub.accessKey, '/v1.0/service_agents/ws')];
  const { conversation_id: id } = await write('one', '+15556100001');
  await write('other', '+15556100002');
  await one.subscribe(`customer_id:${hub.customerId}:conversation:${id}`);
  await kind.subscribe(`customer_id:${hub.customerId}:conversation:conversation_updated`);
  await write('not heard', '+15556100002');
  expect(await one.events(() => write('mark', '+15556100001'), marked('mark'))).toEqual([]);
  const renamed = () => ok(hub.call('PUT', `/v1.0/conversations/${id}`, { name: 'renamed' }));
  expect(await kind.events(renamed, ({ data }) => data.name === 'renamed')).toEqual([]);
  one.send(JSON.stringify({ type: 'unsubscribe', topics: [`customer_id:${hub.customerId}:conversation:${id}`] }));
  one.close();
  kind.close();
});

test('an agent hears of its own conversations under its topic, and of losing them', async () => {
  const [feed, next] = [await feedOf(ann.token), await feedOf(bob.token)];
  await Promise.all([feed.subscribe(`agent_id:${ann.id}`), next.subscribe(`agent_id:${bob.id}`)]);
  const { conversation_id: id } = await write('before', '+15556200001');
  const assign = (owner_id: string) => ok(hub.call('PUT', `/v1.0/conversations/${id}`, { owner_id }));
  await assign(ann.id);
  await write('while it is mine', '+15556200001');
  await assign(bob.id);
  await write('not mine any more', '+15556200001');
  // A publication goes to all sockets at once: what Bob has heard, Ann would have heard too.
  while ((await next.next()).data.text !== 'not mine any more') continue;
  const events = await feed.events(
    () => assign(ann.id),
    ({ sequence }) => sequence === 7,
  );
  expect(events.map(({ sequence, type, data }) => [sequence, type, data.owner_id ?? data.text])).toEqual([
    [3, 'conversation_updated', ann.id],
    [4, 'conversation_message_created', 'while it is mine'],
    [5, 'conversation_updated', bob.id],
  ]);
  feed.close();
  next.close();
});

test('whoever owned a conversation hears of losing it, and of nothing later, also when nobody listened or a call failed', async () => {
  const { conversation_id: id } = await write('first', '+15556300001');
  await runInDurableObject(env.CONVERSATION.getByName(id), async (object, { storage }) => {
    const heard: string[][] = [];
    const feed = { isHeard: vi.fn(), publish: vi.fn() };
    feed.publish.mockImplementation(({ events }: Publication) => heard.push(...events.map(({ also }) => also)));
    // The object's own aggregate holds the conversation in memory: one beside it reads what that has stored.
    const stored = () => new ConversationAggregate(storage);
    const aggregate = {
      get conversation() {
        return stored().conversation;
      },
      eventsAfter: (sequence: number, limit: number) => stored().eventsAfter(sequence, limit),
    };
    const fakeEnv: Json = { FEED: { getByName: () => feed } };
    const sink = new FeedSink(fakeEnv, new ConversationFeed(aggregate));
    sink.wake();
    const change = async (changes: Json, isHeard: boolean): Promise<void> => {
      feed.isHeard.mockResolvedValue(isHeard);
      await object.update({ customerId: hub.customerId, actor: SOMEBODY, ...changes });
      await sink.drain();
    };
    await change({ ownerId: ann.id }, false);
    await change({ ownerId: bob.id }, false);
    await change({ name: 'heard' }, true);
    expect(heard.splice(0)).toEqual([[bob.id]]);
    feed.publish.mockRejectedValueOnce(new Error('injected'));
    await change({ ownerId: ann.id }, true);
    await change({ name: 'again' }, true);
    expect(heard).toEqual([[bob.id, ann.id], [ann.id]]);
  });
});

test('participants hear of their talks; managers who are not in one hear nothing of it, access keys do', async () => {
  const [inside, outside, software] = [await feedOf(bob.token), await feedOf(boss.token), await feedOf(hub.accessKey)];
  await inside.subscribe(`agent_id:${bob.id}`);
  await outside.subscribe(`customer_id:${hub.customerId}`);
  await software.subscribe(`customer_id:${hub.customerId}:chat`);
  const talk = await ok(ann.call('POST', '/v1.0/talks', { participant_ids: [bob.id] }));
  const say = (text: string) => ann.call('POST', `/v1.0/talks/${talk.id}/messages`, { text });
  const names = ['talk_created', 'participant_joined', 'participant_joined', 'message_created'];
  await ok(say('among us'));
  expect((await inside.take(4)).map(({ type }) => type)).toEqual(names);
  expect((await software.take(4)).map(({ type }) => type)).toEqual(names);
  expect(await outside.events(() => write('mark for the boss'), marked('mark for the boss'))).not.toContainEqual(
    expect.objectContaining({ data: expect.objectContaining({ chat_id: talk.id }) }),
  );
  const { result } = await ok(ann.call('GET', `/v1.0/talks/${talk.id}/participants`));
  const { id } = result.find(({ owner_id }: Json) => owner_id === bob.id);
  await ok(ann.call('DELETE', `/v1.0/talks/${talk.id}/participants/${id}`));
  await ok(say('without bob'));
  // One publication goes to all sockets: what the software has heard, Bob would have heard too.
  while ((await software.next()).data.text !== 'without bob') continue;
  const open = () => ok(bob.call('POST', '/v1.0/talks', { name: 'mark' }));
  const after = await inside.events(open, ({ type, data }) => type === 'talk_created' && data.name === 'mark');
  expect(after.map(({ type }) => type)).toEqual(['participant_left']);
  [inside, outside, software].forEach((feed) => feed.close());
});

test('a topic that is not one’s own is refused by an error frame, the rest of the frame counts, and the socket stays', async () => {
  const feed = await feedOf(ann.token);
  const refused = [
    `customer_id:${hub.customerId}`,
    `agent_id:${bob.id}`,
    `customer_id:${crypto.randomUUID()}`,
    'nonsense',
    `queue:${ann.id}`,
    `agent_id:${ann.id.slice(0, 8)}`,
  ];
  feed.send(JSON.stringify({ type: 'subscribe', topics: [...refused, `agent_id:${ann.id}`] }));
  for (const topic of refused) {
    expect(await feed.next()).toMatchObject({
      type: 'error',
      error: { reason: 'PERMISSION_DENIED', details: { topic } },
    });
  }
  for (const nonsense of ['{', '{"type":"shout"}', '{"type":"subscribe","topics":"all"}', new Uint8Array([1])]) {
    feed.send(nonsense);
    expect(await feed.next()).toMatchObject({ type: 'error', error: { reason: 'INVALID_ARGUMENT' } });
  }
  const { data } = await feed.subscribe();
  expect(data.topics).toEqual([`agent_id:${ann.id}`]);
  feed.send('x'.repeat(70_000));
  expect(await feed.closed).toBe(1009);
});

test('subscriptions outlive an eviction of the feed, and end with the credential', async () => {
  const [leaver] = (await newPeople(hub, ['Leaver'])) as [Person];
  const feed = await feedOf(leaver.token);
  await feed.subscribe(`agent_id:${leaver.id}`);
  await evictDurableObject(env.FEED.getByName(hub.customerId));
  const talk = await ok(leaver.call('POST', '/v1.0/talks', { name: 'mine' }));
  expect((await feed.take(2)).map(({ type }) => type)).toEqual(['talk_created', 'participant_joined']);
  await ok(ann.call('POST', '/v1.0/talks', { name: 'theirs', participant_ids: [leaver.id] }));
  await feed.take(3);
  await ok(hub.call('DELETE', `/v1.0/agents/${leaver.id}`));
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 5000 });
  const actor = { customerId: hub.customerId, agentId: leaver.id, isAdmin: false, talkId: null };
  await env.TALK.getByName(talk.id.slice(0, 18)).update(actor, { name: 'unheard' });
  expect(await feed.closed).toBe(4001);
  expect(feed.frames.filter(({ type }) => type === 'talk_updated')).toEqual([]);
});

test('a socket without a sign of life is closed after 4 MB, one that pings is not', async () => {
  const [dead, alive] = [await feedOf(hub.accessKey), await feedOf(hub.accessKey)];
  const topic = `customer_id:${hub.customerId}:conversation`;
  await Promise.all([dead.subscribe(topic), alive.subscribe(topic)]);
  const event = {
    type: 'conversation_updated',
    text: JSON.stringify({ type: 'big', data: 'x'.repeat(500_000) }),
    also: [],
  };
  const publication = {
    customerId: hub.customerId,
    resource: 'conversation' as const,
    id: crypto.randomUUID(),
    agents: [],
    isPrivate: false,
    events: [event],
  };
  for (let count = 0; count < 12; count += 1) {
    alive.send('ping');
    expect(await alive.nextText()).toBe('pong');
    await env.FEED.getByName(hub.customerId).publish(publication);
    expect((await alive.nextText()).length).toBeGreaterThan(500_000);
  }
  expect(await dead.closed).toBe(4008);
  alive.close();
});
