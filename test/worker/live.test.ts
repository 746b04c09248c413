import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env, exports } from 'cloudflare:workers';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { eventually, inbound, newHub, newSandbox, ok, ORIGIN, type Hub, type Json } from '../support/hub.ts';
import { openSocket, readSse } from '../support/live.ts';
import { SOMEBODY } from '../unit/domain/support.ts';

let hub: Hub;
let account: Json;

beforeAll(async () => {
  hub = await newHub();
  account = await newSandbox(hub);
});

afterEach(() => vi.useRealTimers());

let contacts = 0;
const newContact = () => `+1555400${String((contacts += 1)).padStart(4, '0')}`;

async function newConversation(messages = 1): Promise<{ id: string; say: (text: string) => Promise<Json> }> {
  const contact = newContact();
  const { conversation_id: id } = await inbound(hub, account.id, contact, 'message 1');
  for (let index = 2; index <= messages; index += 1) await inbound(hub, account.id, contact, `message ${index}`);
  return { id, say: (text) => inbound(hub, account.id, contact, text) };
}

const socketOn = (id: string, query = '', credential = hub.accessKey) =>
  openSocket(`/v1.0/conversations/${id}/ws${query}`, { authorization: `Bearer ${credential}` });
const sequences = (frames: Json[]) => frames.filter(({ data }) => data).map(({ sequence }) => sequence);
const upTo = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Waits until D1 has so many events of a conversation. */
const historyHas = (id: string, events: number): Promise<void> =>
  eventually(async () => {
    const query = env.DB.prepare('SELECT count(*) AS count FROM events WHERE source_id = ?').bind(id);
    expect(await query.first('count')).toBe(events);
  });

describe('a socket', () => {
  test('without a cursor begins at the head, and then gets what happens', async () => {
    const { id, say } = await newConversation(3);
    const socket = await socketOn(id);
    expect(await socket.next()).toEqual({ type: 'caught_up', sequence: 4 });
    await say('live');
    expect(await socket.next()).toMatchObject({
      type: 'conversation_message_created',
      sequence: 5,
      data: { text: 'live' },
    });
    socket.close();
  });

  test('with a cursor gets everything after it once and in order, then caught_up, then the live tail', async () => {
    const { id, say } = await newConversation(5);
    const socket = await socketOn(id, '?after=2');
    await say('live');
    const frames = await socket.take(6);
    expect(sequences(frames)).toEqual([3, 4, 5, 6, 7]);
    expect(frames.find(({ type }) => type === 'caught_up')).toEqual({ type: 'caught_up', sequence: 6 });
    socket.close();
  });

  test('goes on over evictions of its object, without a gap and without a repeat', async () => {
    const { id, say } = await newConversation();
    const socket = await socketOn(id, '?after=0');
    expect(sequences(await socket.take(3))).toEqual([1, 2]);
    for (let round = 0; round < 3; round += 1) {
      await evictDurableObject(env.CONVERSATION.getByName(id));
      await say(`after eviction ${round}`);
      expect(await socket.next()).toMatchObject({ sequence: 3 + round, data: { text: `after eviction ${round}` } });
    }
    socket.close();
  });

  test('with a cursor from the future is told to resync', async () => {
    const { id } = await newConversation();
    const socket = await socketOn(id, '?after=99');
    expect(await socket.take(2)).toEqual([
      { type: 'resync', sequence: 2 },
      { type: 'caught_up', sequence: 2 },
    ]);
    socket.close();
  });

  test('that says nonsense is told so, and stays open', async () => {
    const { id, say } = await newConversation();
    const socket = await socketOn(id);
    await socket.next();
    for (const nonsense of ['{', '{"type":"shout"}', '"text"', new Uint8Array([1, 2, 3])]) {
      socket.send(nonsense);
      expect(await socket.next()).toMatchObject({ type: 'error', error: { reason: 'INVALID_ARGUMENT' } });
    }
    await say('still here');
    expect(await socket.next()).toMatchObject({ data: { text: 'still here' } });
    socket.send('x'.repeat(70_000));
    expect(await socket.closed).toBe(1009);
  });

  test('is answered ping by pong without waking the object', async () => {
    const { id } = await newConversation();
    const socket = await socketOn(id);
    await socket.next();
    await evictDurableObject(env.CONVERSATION.getByName(id));
    socket.send('ping');
    expect(await socket.nextText()).toBe('pong');
    socket.close();
  });

  test('that never acknowledges is held at the window, cut off with 4008, and resumes where it was', async () => {
    const { id } = await newConversation();
    const rename = (name: string) =>
      env.CONVERSATION.getByName(id).update({ customerId: hub.customerId, actor: SOMEBODY, name });
    const socket = await socketOn(id);
    await socket.next();
    for (let index = 0; index < 1100; index += 1) await rename(`name ${index}`);
    const held = await socket.take(1000);
    expect(sequences(held)).toEqual(upTo(3, 1002));
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 31_000 });
    await runDurableObjectAlarm(env.CONVERSATION.getByName(id));
    expect(await socket.closed).toBe(4008);

    const again = await socketOn(id, '?after=1002');
    expect(sequences(await again.take(101))).toEqual(upTo(1003, 1102));
    again.close();
  });

  test('that stalled is cut off over a hibernation too, and its object’s alarm rests afterwards', async () => {
    const { id } = await newConversation();
    const object = () => env.CONVERSATION.getByName(id);
    const socket = await socketOn(id);
    await socket.next();
    for (let index = 0; index < 1010; index += 1) {
      await object().update({ customerId: hub.customerId, actor: SOMEBODY, name: `name ${index}` });
    }
    // An object that is still busy with its history cannot be evicted.
    await historyHas(id, 1012);
    await evictDurableObject(object());
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 31_000 });
    await runDurableObjectAlarm(object());
    expect((await socket.take(1000)).at(-1)).toMatchObject({ sequence: 1002 });
    expect(await socket.closed).toBe(4008);
    const alarm = await runInDurableObject(object(), (_, state) => state.storage.getAlarm());
    expect(alarm === null || alarm - Date.now() > 1000).toBe(true);
  });

  test('that stalls on a replay is cut off too', async () => {
    const { id } = await newConversation();
    const object = () => env.CONVERSATION.getByName(id);
    for (let index = 0; index < 1010; index += 1) {
      await object().update({ customerId: hub.customerId, actor: SOMEBODY, name: `name ${index}` });
    }
    await historyHas(id, 1012);
    await runInDurableObject(object(), (_, state) => state.storage.deleteAlarm());
    await evictDurableObject(object());
    const socket = await socketOn(id, '?after=0');
    await socket.take(1000);
    const alarm = await runInDurableObject(object(), (_, state) => state.storage.getAlarm());
    expect((alarm ?? Infinity) - Date.now()).toBeLessThan(31_000);
    socket.close();
  });

  test('that acknowledges gets more than a window', async () => {
    const { id } = await newConversation();
    const socket = await socketOn(id);
    await socket.next();
    for (let index = 0; index < 1100; index += 1)
      await env.CONVERSATION.getByName(id).update({
        customerId: hub.customerId,
        actor: SOMEBODY,
        name: `name ${index}`,
      });
    await socket.take(1000);
    socket.send(JSON.stringify({ type: 'ack', sequence: 1002 }));
    expect(sequences(await socket.take(101))).toEqual(upTo(1003, 1102));
    socket.close();
  });

  test('whose credential ended gets nothing more', async () => {
    const { id, say } = await newConversation();
    const username = `reader-${hub.customerId}`;
    const agent = await ok(hub.call('POST', '/v1.0/agents', { username, password: 'long enough', permission: 64 }));
    const { token } = await ok(hub.call('POST', '/auth/login', { username, password: 'long enough' }));
    const socket = await socketOn(id, '', token);
    await socket.next();
    await ok(hub.call('DELETE', `/v1.0/agents/${agent.id}`));
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 5000 });
    await say('secret');
    expect(await socket.closed).toBe(4001);
    expect(JSON.stringify(socket.frames)).not.toContain('secret');
  });
});

describe('an agent that reads as the owner', () => {
  test('is cut off when the conversation is given to another', async () => {
    const { id, say } = await newConversation();
    const username = `former-${hub.customerId}`;
    const agent = await ok(hub.call('POST', '/v1.0/agents', { username, password: 'long enough' }));
    const { token } = await ok(hub.call('POST', '/auth/login', { username, password: 'long enough' }));
    await ok(hub.call('PUT', `/v1.0/conversations/${id}`, { owner_id: agent.id }));
    const socket = await socketOn(id, '', token);
    await socket.next();
    await ok(hub.call('PUT', `/v1.0/conversations/${id}`, { owner_id: hub.adminId }));
    await say('not for you');
    expect(await socket.closed).toBe(4001);
    expect(JSON.stringify(socket.frames)).not.toContain('not for you');
  });
});

describe('a ticket', () => {
  test('dies with the access key that made it', async () => {
    const { id } = await newConversation();
    const key = await ok(hub.call('POST', '/v1.0/accesskeys', {}));
    const { ticket } = await ok(hub.as(key.token)('POST', '/v1.0/stream_tickets'));
    await ok(hub.call('DELETE', `/v1.0/accesskeys/${key.id}`));
    expect((await exports.default.fetch(`${ORIGIN}/v1.0/conversations/${id}/stream?ticket=${ticket}`)).status).toBe(
      401,
    );
  });

  const newTicket = async (): Promise<string> => (await ok(hub.call('POST', '/v1.0/stream_tickets'))).ticket;

  test('opens one stream, once, by query or by subprotocol', async () => {
    const { id } = await newConversation();
    const ticket = await newTicket();
    const socket = await openSocket(`/v1.0/conversations/${id}/ws?ticket=${ticket}`, {});
    expect(await socket.next()).toMatchObject({ type: 'caught_up' });
    socket.close();
    const again = await exports.default.fetch(`${ORIGIN}/v1.0/conversations/${id}/ws?ticket=${ticket}`, {
      headers: { upgrade: 'websocket' },
    });
    expect(again.status).toBe(401);
    const bySubprotocol = await openSocket(`/v1.0/conversations/${id}/ws`, {
      'sec-websocket-protocol': `parley.v1, ticket.${await newTicket()}`,
    });
    expect(bySubprotocol.protocol).toBe('parley.v1');
    bySubprotocol.close();
  });

  test('is taken by one of ten at once, is over after a minute, and opens nothing but streams', async () => {
    const { id } = await newConversation();
    const ticket = await newTicket();
    const open = () => exports.default.fetch(`${ORIGIN}/v1.0/conversations/${id}/stream?ticket=${ticket}`);
    const answers = await Promise.all(Array.from({ length: 10 }, open));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    await Promise.all(answers.map(async (answer) => answer.body?.cancel()));
    const late = await newTicket();
    expect((await exports.default.fetch(`${ORIGIN}/v1.0/conversations?ticket=${late}`)).status).toBe(401);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 });
    expect((await exports.default.fetch(`${ORIGIN}/v1.0/conversations/${id}/stream?ticket=${late}`)).status).toBe(401);
  });
});

describe('a stream of server-sent events', () => {
  const open = (id: string, query = '', headers: Record<string, string> = {}) =>
    readSse(`/v1.0/conversations/${id}/stream${query}`, { authorization: `Bearer ${hub.accessKey}`, ...headers });

  test('replays after the cursor, says caught_up, goes on live, and resumes by Last-Event-ID', async () => {
    const { id, say } = await newConversation(3);
    const stream = await open(id, '?after=0');
    const replay = await stream.take(5);
    expect(replay.map(({ id: eventId }) => eventId)).toEqual(['1', '2', '3', '4', '4']);
    expect(replay.at(-1)?.data).toEqual({ type: 'caught_up', sequence: 4 });
    await say('live');
    expect((await stream.take(1))[0]).toMatchObject({
      id: '5',
      data: { type: 'conversation_message_created', sequence: 5 },
    });
    await stream.cancel();

    await say('missed');
    const resumed = await open(id, '', { 'last-event-id': '5' });
    const rest = await resumed.take(2);
    expect(rest.map(({ data }) => data.sequence)).toEqual([6, 6]);
    await resumed.cancel();
  });

  test('is open to the owning agent, and to no other agent', async () => {
    const { id } = await newConversation();
    const username = `owner-${hub.customerId}`;
    const agent = await ok(hub.call('POST', '/v1.0/agents', { username, password: 'long enough' }));
    const { token } = await ok(hub.call('POST', '/auth/login', { username, password: 'long enough' }));
    const ask = () =>
      exports.default.fetch(`${ORIGIN}/v1.0/conversations/${id}/stream`, {
        headers: { authorization: `Bearer ${token}` },
      });
    expect((await ask()).status).toBe(403);
    await ok(hub.call('PUT', `/v1.0/conversations/${id}`, { owner_id: agent.id }));
    const allowed = await ask();
    expect(allowed.status).toBe(200);
    expect(allowed.headers.get('content-type')).toContain('text/event-stream');
    await allowed.body?.cancel();
  });

  test('with a malformed cursor is 400, and a plain request on the socket’s path 426', async () => {
    const { id } = await newConversation();
    expect(await hub.call('GET', `/v1.0/conversations/${id}/stream?after=abc`)).toMatchObject({ status: 400 });
    expect(
      await hub.call('GET', `/v1.0/conversations/${id}/stream`, undefined, { 'last-event-id': 'x' }),
    ).toMatchObject({ status: 400 });
    expect(await hub.call('GET', `/v1.0/conversations/${id}/ws`)).toMatchObject({ status: 426 });
  });
});

test('a deleted message’s text is in no replay', async () => {
  const { id, say } = await newConversation();
  const { message_id: messageId } = await say('to be forgotten');
  await ok(hub.call('DELETE', `/v1.0/conversations/${id}/messages/${messageId}`));
  const socket = await socketOn(id, '?after=0');
  const frames = await socket.take(5);
  expect(JSON.stringify(frames)).not.toContain('to be forgotten');
  expect(frames.at(3)).toMatchObject({ type: 'conversation_message_deleted', data: { id: messageId, text: '' } });
  socket.close();
  await eventually(async () => {
    const { results } = await env.DB.prepare('SELECT data FROM messages WHERE id = ?')
      .bind(messageId)
      .all<{ data: string }>();
    expect(results[0]?.data).not.toContain('to be forgotten');
  });
});
