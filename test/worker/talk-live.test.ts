import { evictDurableObject, runDurableObjectAlarm } from 'cloudflare:test';
import { env, exports } from 'cloudflare:workers';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { newHub, ok, ORIGIN, type Hub, type Json } from '../support/hub.ts';
import { openSocket, readSse, type LiveSocket } from '../support/live.ts';
import { newPeople, type Person } from '../support/people.ts';

let hub: Hub;
let ann: Person;
let bob: Person;
let eve: Person;

beforeAll(async () => {
  hub = await newHub();
  [ann, bob, eve] = (await newPeople(hub, ['Ann', 'Bob', 'Eve'])) as [Person, Person, Person];
});

afterEach(() => vi.useRealTimers());

const newTalk = (others: Person[] = [bob]): Promise<Json> =>
  ok(ann.call('POST', '/v1.0/talks', { participant_ids: others.map(({ id }) => id) }));
const say = (by: Person, talk: Json, text: string): Promise<Json> =>
  ok(by.call('POST', `/v1.0/talks/${talk.id}/messages`, { text }));
const objectOf = (talk: Json) => env.TALK.getByName(talk.id.slice(0, 18));
const tell = (socket: LiveSocket, frame: Json): void => socket.send(JSON.stringify(frame));
const isLogged = (frame: Json): boolean => frame.sequence !== undefined && frame.data !== undefined;

/** The next frame of a type; what comes before it is passed over, and stays in `frames`. */
async function until(socket: LiveSocket, type: string): Promise<Json> {
  for (;;) {
    const frame = await socket.next();
    if (frame.type === type) return frame;
  }
}

const sequencesOf = (socket: LiveSocket): number[] => socket.frames.filter(isLogged).map(({ sequence }) => sequence);
const upTo = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('a talk’s socket', () => {
  test('shows what happens, in order, under seed 004’s names', async () => {
    const talk = await newTalk();
    const socket = await ann.socket(talk.id, '?after=0');
    const { id } = await say(bob, talk, 'hello');
    await ok(bob.call('PUT', `/v1.0/messages/${id}`, { text: 'hello again' }));
    await ok(ann.call('POST', `/v1.0/messages/${id}/reactions`, { emoji: '👍' }));
    await ok(ann.call('DELETE', `/v1.0/messages/${id}/reactions/${encodeURIComponent('👍')}`));
    const joined = await ok(bob.call('POST', `/v1.0/talks/${talk.id}/participants`, { agent_id: eve.id }));
    await ok(bob.call('DELETE', `/v1.0/talks/${talk.id}/participants/${joined.id}`));
    await ok(bob.call('DELETE', `/v1.0/messages/${id}`));
    const frames: Json[] = [];
    while (frames.at(-1)?.type !== 'message_deleted') {
      const frame = await socket.next();
      if (isLogged(frame)) frames.push(frame);
    }
    expect(frames.map(({ type }) => type)).toEqual([
      'talk_created',
      'participant_joined',
      'participant_joined',
      'message_created',
      'message_updated',
      'reaction_added',
      'reaction_removed',
      'participant_joined',
      'message_created',
      'participant_left',
      'message_created',
      'message_deleted',
    ]);
    expect(frames.map(({ sequence }) => sequence)).toEqual(upTo(1, 12));
    expect(frames[4]).toMatchObject({ data: { id, text: 'hello again' } });
    expect(frames[5].data).toMatchObject({ id, reaction: { emoji: '👍', owner_id: ann.id } });
    expect(frames[7].data).toMatchObject({ owner_id: eve.id, chat_id: talk.id });
    expect(frames[11].data).toMatchObject({ id, text: '' });
    socket.close();
  });

  test('takes commands, and answers each under its client_id', async () => {
    const talk = await newTalk();
    const [mine, theirs] = [await ann.socket(talk.id), await bob.socket(talk.id)];
    tell(mine, { type: 'send', client_id: 'c1', text: 'over the socket' });
    const ack = await until(mine, 'ack');
    expect(ack).toMatchObject({
      client_id: 'c1',
      data: { text: 'over the socket', owner_id: ann.id, client_id: 'c1' },
    });
    const { id } = ack.data;
    expect(await until(theirs, 'message_created')).toMatchObject({ data: { id, client_id: 'c1' } });
    tell(theirs, { type: 'react', client_id: 'c2', message_id: id, emoji: 'eyes' });
    expect(await until(theirs, 'ack')).toMatchObject({
      client_id: 'c2',
      data: { metadata: { reactions: [{ emoji: 'eyes' }] } },
    });
    tell(theirs, { type: 'unreact', client_id: 'c3', message_id: id, emoji: 'eyes' });
    expect(await until(theirs, 'ack')).toMatchObject({ client_id: 'c3', data: { metadata: { reactions: [] } } });
    tell(mine, { type: 'edit', client_id: 'c4', message_id: id, text: 'edited' });
    expect(await until(mine, 'ack')).toMatchObject({ client_id: 'c4', data: { text: 'edited' } });
    tell(theirs, { type: 'read', client_id: 'c5', sequence: ack.data.sequence });
    expect(await until(theirs, 'ack')).toMatchObject({
      client_id: 'c5',
      data: { owner_id: bob.id, read_sequence: ack.data.sequence },
    });
    expect(await until(mine, 'read')).toMatchObject({ data: { owner_id: bob.id, read_sequence: ack.data.sequence } });
    tell(theirs, { type: 'typing', client_id: 'c6' });
    expect(await until(theirs, 'ack')).toMatchObject({ client_id: 'c6' });
    expect(await until(mine, 'typing')).toMatchObject({ data: { owner_id: bob.id, chat_id: talk.id } });
    tell(mine, { type: 'delete', client_id: 'c7', message_id: id });
    expect(await until(mine, 'ack')).toMatchObject({ client_id: 'c7', data: { text: '' } });
    expect((await ok(ann.call('GET', `/v1.0/messages/${id}`))).tm_delete).not.toBe('');
    mine.close();
    theirs.close();
  });

  test('answers a frame that is wrong with its fault, and stays open', async () => {
    const talk = await newTalk();
    const elsewhere = await say(ann, await newTalk(), 'elsewhere');
    const { id } = await say(bob, talk, 'bob’s');
    const socket = await ann.socket(talk.id);
    const wrong: [unknown, Json][] = [
      ['{', { error: { reason: 'INVALID_ARGUMENT' } }],
      [new Uint8Array([1, 2, 3]), { error: { reason: 'INVALID_ARGUMENT' } }],
      [
        { type: 'shout', client_id: 'w1' },
        { client_id: 'w1', error: { reason: 'INVALID_ARGUMENT', details: { type: expect.any(String) } } },
      ],
      [
        { type: 'send', client_id: 'w2', text: '' },
        { client_id: 'w2', error: { details: { text: expect.any(String) } } },
      ],
      [
        { type: 'send', client_id: 'w3', text: 7 },
        { client_id: 'w3', error: { details: { text: expect.any(String) } } },
      ],
      [
        { type: 'send', client_id: 'w4', text: 'x', parent_id: elsewhere.id },
        { client_id: 'w4', error: { details: { parent_id: expect.any(String) } } },
      ],
      [
        { type: 'edit', client_id: 'w5', message_id: id, text: 'x' },
        { client_id: 'w5', error: { reason: 'PERMISSION_DENIED' } },
      ],
      [
        { type: 'edit', client_id: 'w6', message_id: id },
        { client_id: 'w6', error: { details: { text: expect.any(String) } } },
      ],
      [
        { type: 'delete', client_id: 'w7', message_id: elsewhere.id },
        { client_id: 'w7', error: { reason: 'TALK_MESSAGE_NOT_FOUND' } },
      ],
      [
        { type: 'react', client_id: 'w8', message_id: id, emoji: 'x'.repeat(50_000) },
        { client_id: 'w8', error: { details: { emoji: expect.any(String) } } },
      ],
      [
        { type: 'read', client_id: 'w9', sequence: 999 },
        { client_id: 'w9', error: { details: { sequence: expect.any(String) } } },
      ],
    ];
    for (const [frame, answer] of wrong) {
      socket.send(typeof frame === 'string' || frame instanceof Uint8Array ? frame : JSON.stringify(frame));
      expect(await until(socket, 'error')).toMatchObject({ type: 'error', ...answer });
    }
    tell(socket, { type: 'send', client_id: 'fine', text: 'still here' });
    expect(await until(socket, 'ack')).toMatchObject({ client_id: 'fine' });
    await ok(bob.call('POST', `/v1.0/talks/${talk.id}/close`));
    tell(socket, { type: 'send', client_id: 'late', text: 'too late' });
    expect(await until(socket, 'error')).toMatchObject({ client_id: 'late', error: { reason: 'TALK_CLOSED' } });
    socket.send('x'.repeat(2 * 1024 * 1024));
    expect(await socket.closed).toBe(1009);
  });

  test('a send that is repeated after a lost socket is one message', async () => {
    const talk = await newTalk();
    const frame = { type: 'send', client_id: 'outbox-1', text: 'once' };
    const first = await ann.socket(talk.id);
    tell(first, frame);
    const { data } = await until(first, 'ack');
    first.close();
    await evictDurableObject(objectOf(talk));
    const second = await ann.socket(talk.id, `?after=${data.sequence - 1}`);
    tell(second, frame);
    expect(await until(second, 'ack')).toMatchObject({ data: { id: data.id } });
    expect((await ok(ann.call('GET', `/v1.0/talks/${talk.id}/messages`))).result).toHaveLength(1);
    second.close();
  });

  test('goes on over evictions of its object, also for commands, without a gap and without a repeat', async () => {
    const talk = await newTalk();
    const [mine, theirs] = [await ann.socket(talk.id, '?after=0'), await bob.socket(talk.id, '?after=0&batch=1')];
    for (let round = 0; round < 3; round += 1) {
      await evictDurableObject(objectOf(talk));
      tell(mine, { type: 'send', client_id: `r${round}`, text: `round ${round}` });
      expect(await until(mine, 'ack')).toMatchObject({ client_id: `r${round}` });
      await evictDurableObject(objectOf(talk));
      await say(bob, talk, `answer ${round}`);
    }
    while (!sequencesOf(mine).includes(9)) await mine.next();
    expect(sequencesOf(mine)).toEqual(upTo(1, 9));
    const batches: Json[] = [];
    while (!batches.some((frame) => frame.sequence === 9)) batches.push(...(await theirs.next()));
    expect(batches.filter(isLogged).map(({ sequence }) => sequence)).toEqual(upTo(1, 9));
    mine.close();
    theirs.close();
  });

  test('loses nothing to an eviction while several write and many read', async () => {
    const readers = await newPeople(
      hub,
      Array.from({ length: 30 }, (_, index) => `Reader ${index}`),
    );
    const talk = await newTalk([bob, ...readers]);
    const begin = talk.sequence;
    const sockets = await Promise.all(readers.map((reader) => reader.socket(talk.id)));
    const writers = [await ann.socket(talk.id), await bob.socket(talk.id)];
    await Promise.all([...sockets, ...writers].map((socket) => until(socket, 'caught_up')));
    for (let round = 0; round < 5; round += 1) {
      writers.forEach((writer, index) => tell(writer, { type: 'send', client_id: `${round} ${index}`, text: 'x' }));
      await Promise.all(writers.map((writer) => until(writer, 'ack')));
      await evictDurableObject(objectOf(talk));
    }
    const expected = upTo(begin + 1, begin + 10);
    for (const socket of sockets) {
      while (sequencesOf(socket).length < expected.length) await socket.next();
      expect(sequencesOf(socket)).toEqual(expected);
      socket.close();
    }
    writers.forEach((writer) => writer.close());
  });

  test('with batch=1 gets arrays only, and many events in few frames', async () => {
    const talk = await newTalk();
    for (let index = 0; index < 30; index += 1) await say(ann, talk, `message ${index}`);
    const socket = await bob.socket(talk.id, '?after=0&batch=1');
    const frames: Json[][] = [];
    while (!frames.flat().some(({ type }) => type === 'caught_up')) frames.push(await socket.next());
    expect(
      frames
        .flat()
        .filter(isLogged)
        .map(({ sequence }) => sequence),
    ).toEqual(upTo(1, 33));
    expect(frames.length).toBeLessThan(5);
    socket.send('nonsense');
    expect(await socket.next()).toMatchObject([{ type: 'error' }]);
    socket.close();
  });

  test('tells who is there, who comes and who goes', async () => {
    const talk = await newTalk([bob, eve]);
    const mine = await ann.socket(talk.id);
    const first = await bob.socket(talk.id);
    expect(await until(first, 'presence')).toMatchObject({
      data: { chat_id: talk.id, agents: [{ owner_id: ann.id, status: 'online' }] },
    });
    expect(await until(mine, 'presence')).toMatchObject({
      data: { agents: [{ owner_type: 'agent', owner_id: bob.id, status: 'online' }] },
    });
    const second = await bob.socket(talk.id);
    first.close();
    await evictDurableObject(objectOf(talk));
    second.close();
    expect(await until(mine, 'presence')).toMatchObject({
      data: { agents: [{ owner_id: bob.id, status: 'offline' }] },
    });
    expect(mine.frames.filter(({ type }) => type === 'presence')).toHaveLength(2);
    mine.close();
  });

  test('hears of many who come at once in few frames', async () => {
    const crowd = await newPeople(
      hub,
      Array.from({ length: 40 }, (_, index) => `Comer ${index}`),
    );
    const talk = await newTalk(crowd);
    const mine = await ann.socket(talk.id);
    await until(mine, 'caught_up');
    const sockets = await Promise.all(crowd.map((one) => one.socket(talk.id)));
    const online = new Set<string>();
    let frames = 0;
    while (online.size < crowd.length) {
      const { data } = await until(mine, 'presence');
      data.agents.forEach(({ owner_id }: Json) => online.add(owner_id));
      frames += 1;
    }
    expect(online).toEqual(new Set(crowd.map(({ id }) => id)));
    expect(frames).toBeLessThan(20);
    [mine, ...sockets].forEach((socket) => socket.close());
  });

  test('that shows no sign of life is not whispered to without end', async () => {
    const talk = await newTalk();
    const [typist, silent] = [await ann.socket(talk.id), await bob.socket(talk.id)];
    await until(silent, 'caught_up');
    for (let count = 0; count < 1000; count += 1) tell(typist, { type: 'typing', client_id: `${count}` });
    while ((await until(typist, 'ack')).client_id !== '999') continue;
    await say(ann, talk, 'mark');
    await until(silent, 'message_created');
    const whispers = silent.frames.filter(({ type }) => type === 'typing');
    expect(whispers.length).toBeGreaterThan(100);
    expect(JSON.stringify(whispers).length).toBeLessThan(80_000);
    tell(silent, { type: 'ack', sequence: 4 });
    tell(silent, { type: 'typing', client_id: 'alive' });
    await until(silent, 'ack');
    tell(typist, { type: 'typing', client_id: 'again' });
    await until(silent, 'typing');
    typist.close();
    silent.close();
  });

  test('of a removed participant is cut off, and gets nothing that came after', async () => {
    const talk = await newTalk([bob, eve]);
    const socket = await bob.socket(talk.id, '?after=0');
    await until(socket, 'caught_up');
    const { result } = await ok(ann.call('GET', `/v1.0/talks/${talk.id}/participants`));
    const { id } = result.find(({ owner_id }: Json) => owner_id === bob.id);
    await ok(ann.call('DELETE', `/v1.0/talks/${talk.id}/participants/${id}`));
    await say(ann, talk, 'now we are among ourselves');
    expect(await socket.closed).toBe(4001);
    expect(sequencesOf(socket)).toEqual(upTo(1, 4));
    await expect(bob.socket(talk.id)).rejects.toThrow('403');
  });

  test('whose credential ended is cut off before the next event, and before its next command', async () => {
    const [leaver] = (await newPeople(hub, ['Leaver'])) as [Person];
    const talk = await newTalk([leaver]);
    const [reads, writes] = [await leaver.socket(talk.id, '?after=0'), await leaver.socket(talk.id)];
    await until(reads, 'caught_up');
    await ok(hub.call('DELETE', `/v1.0/agents/${leaver.id}`));
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 5000 });
    tell(writes, { type: 'send', client_id: 'x', text: 'I am still here' });
    expect(await writes.closed).toBe(4001);
    await say(ann, talk, 'gone?');
    expect(await reads.closed).toBe(4001);
    expect(sequencesOf(reads)).toEqual(upTo(1, 3));
    const { result } = await ok(ann.call('GET', `/v1.0/talks/${talk.id}/messages`));
    expect(result.map(({ text }: Json) => text)).toEqual(['gone?']);
  });

  test('that never acknowledges is held, cut off with 4008, and resumes; the others get everything', async () => {
    const talk = await newTalk([bob, eve]);
    const [silent, diligent] = [await bob.socket(talk.id), await eve.socket(talk.id)];
    await Promise.all([until(silent, 'caught_up'), until(diligent, 'caught_up')]);
    const actor = { customerId: hub.customerId, agentId: ann.id, isAdmin: false, talkId: null };
    for (let index = 0; index < 1100; index += 1) {
      await objectOf(talk).update(actor, { name: `name ${index}` });
      tell(diligent, { type: 'ack', sequence: 3 + index });
    }
    while (sequencesOf(diligent).length < 1100) await diligent.next();
    expect(sequencesOf(diligent)).toEqual(upTo(5, 1104));
    while (sequencesOf(silent).length < 1000) await silent.next();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 31_000 });
    await runDurableObjectAlarm(objectOf(talk));
    expect(await silent.closed).toBe(4008);
    expect(sequencesOf(silent)).toEqual(upTo(5, 1004));
    vi.useRealTimers();
    const again = await bob.socket(talk.id, '?after=1004');
    await until(again, 'caught_up');
    expect(sequencesOf(again)).toEqual(upTo(1005, 1104));
    again.close();
    diligent.close();
  });

  test('replays a deleted message without its text', async () => {
    const talk = await newTalk();
    const { id } = await say(ann, talk, 'not for ever');
    await ok(ann.call('DELETE', `/v1.0/messages/${id}`));
    const socket = await bob.socket(talk.id, '?after=0');
    await until(socket, 'caught_up');
    expect(sequencesOf(socket)).toEqual(upTo(1, 5));
    expect(JSON.stringify(socket.frames)).not.toContain('not for ever');
    socket.close();
  });

  test('is opened by a ticket in the subprotocol, and from pages of our own or named ones only', async () => {
    const talk = await newTalk();
    const path = `/v1.0/service_agents/talk_chats/${talk.id}/ws`;
    const { ticket } = await ok(ann.call('POST', '/v1.0/stream_tickets'));
    const socket = await openSocket(path, { 'sec-websocket-protocol': `parley, ticket.${ticket}`, origin: ORIGIN });
    expect(socket.protocol).toBe('parley');
    socket.close();
    const from = async (origin: string): Promise<number> => {
      const headers = { upgrade: 'websocket', authorization: `Bearer ${ann.token}`, origin };
      const { status, webSocket } = await exports.default.fetch(`${ORIGIN}${path}`, { headers });
      webSocket?.accept();
      webSocket?.close();
      return status;
    };
    expect(await from('https://evil.example')).toBe(403);
    expect(await from('null')).toBe(403);
    expect(await from('http://localhost:3000')).toBe(403);
    expect(await from(ORIGIN)).toBe(101);
    expect((await ann.call('GET', path)).status).toBe(426);
  });

  test('has a twin as Server-Sent Events', async () => {
    const talk = await newTalk();
    const headers = { authorization: `Bearer ${bob.token}` };
    const stream = await readSse(`/v1.0/talks/${talk.id}/stream?after=0`, headers);
    await stream.take(4);
    await say(ann, talk, 'as it happens');
    expect(await stream.take(1)).toMatchObject([
      { id: '4', data: { type: 'message_created', data: { text: 'as it happens' } } },
    ]);
    await stream.cancel();
  });
});
