import { evictDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, test } from 'vitest';
import { eventually, newHub, ok, type Answer, type Hub, type Json } from '../support/hub.ts';
import { newPeople, type Person } from '../support/people.ts';
import { listen } from '../support/receiver-worker.ts';

let hub: Hub;
let ann: Person;
let bob: Person;
let cid: Person;
let eve: Person;
let boss: Person;
let stranger: Person;

beforeAll(async () => {
  hub = await newHub();
  [ann, bob, cid, eve] = (await newPeople(hub, ['Ann', 'Bob', 'Cid', 'Eve'])) as [Person, Person, Person, Person];
  [boss] = (await newPeople(hub, ['Boss'], 32)) as [Person];
  [stranger] = (await newPeople(await newHub(), ['Stranger'])) as [Person];
});

const newTalk = (by: Person, others: Person[], rest: Json = {}): Promise<Json> =>
  ok(by.call('POST', '/v1.0/talks', { participant_ids: others.map(({ id }) => id), ...rest }));
const say = (by: Person, talk: Json, text: string, rest: Json = {}): Promise<Json> =>
  ok(by.call('POST', `/v1.0/talks/${talk.id}/messages`, { text, ...rest }));
const messagesOf = async (by: Person, talk: Json): Promise<Json[]> =>
  (await ok(by.call('GET', `/v1.0/talks/${talk.id}/messages`))).result;
const participantsOf = async (by: Person, talk: Json): Promise<Json[]> =>
  (await ok(by.call('GET', `/v1.0/talks/${talk.id}/participants`))).result;
const participantOf = async (talk: Json, person: Person): Promise<Json> =>
  (await participantsOf(person, talk)).find(({ owner_id }) => owner_id === person.id);
const objectOf = (talk: Json) => env.TALK.getByName(talk.id.slice(0, 18));
const refusal = async (answer: Promise<Answer<Json>>): Promise<[number, string]> => {
  const { status, body } = await answer;
  return [status, body?.error?.reason];
};
const wrongField = async (answer: Promise<Answer<Json>>): Promise<string[]> => {
  const { status, body } = await answer;
  expect(status).toBe(400);
  return Object.keys(body.error.details);
};

describe('a 1:1 talk', () => {
  test('is one for each pair, also when fifty open it at once, from both sides', async () => {
    const [x, y] = (await newPeople(hub, ['X', 'Y'])) as [Person, Person];
    const opened = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        index % 2 === 0 ? newTalk(x, [y], { type: 'normal' }) : newTalk(y, [x], { type: 'direct' }),
      ),
    );
    expect(new Set(opened.map(({ id }) => id)).size).toBe(1);
    expect(await participantsOf(x, opened[0])).toHaveLength(2);
    await eventually(async () => expect((await ok(x.call('GET', '/v1.0/talks'))).result).toHaveLength(1));
  });

  test('opened without a partner becomes the pair’s with the second participant, and takes no third', async () => {
    const [x, y, z] = (await newPeople(hub, ['X', 'Y', 'Z'])) as [Person, Person, Person];
    const talk = await newTalk(x, [], { type: 'normal' });
    const add = (who: Person, path = 'participants') =>
      x.call('POST', `/v1.0/talks/${talk.id}/${path}`, { agent_id: who.id });
    await ok(add(y));
    expect(await wrongField(add(z))).toEqual(['agent_id']);
    expect((await newTalk(y, [x], { type: 'normal' })).id).toBe(talk.id);
    const second = await newTalk(x, [], { type: 'normal' });
    const taken = await x.call('POST', `/v1.0/service_agents/talk_chats/${second.id}/participants`, { owner_id: y.id });
    expect([taken.status, taken.body.error.reason, taken.body.error.details]).toEqual([
      409,
      'TALK_PAIR_EXISTS',
      { talk_id: talk.id },
    ]);
    expect(await participantsOf(x, second)).toHaveLength(1);
  });

  test('completed by fifty at once with different partners has two participants', async () => {
    const people = await newPeople(hub, ['X', ...Array.from({ length: 10 }, (_, index) => `P${index}`)]);
    const [x, ...others] = people as [Person, ...Person[]];
    const talk = await newTalk(x, [], { type: 'normal' });
    const added = await Promise.all(
      others.map(({ id }) => x.call('POST', `/v1.0/talks/${talk.id}/participants`, { agent_id: id })),
    );
    expect(added.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(await participantsOf(x, talk)).toHaveLength(2);
    // The losers are free to have a talk of their own with the same person.
    const loser = others.find((_, index) => added[index]?.status !== 200) as Person;
    const solo = await newTalk(loser, [], { type: 'normal' });
    await ok(loser.call('POST', `/v1.0/talks/${solo.id}/participants`, { agent_id: x.id }));
    const own = await newTalk(loser, [x], { type: 'normal' });
    expect(own.id).toBe(solo.id);
    expect(own.id).not.toBe(talk.id);
    expect(await participantsOf(x, own)).toHaveLength(2);
  });

  test('with three, with oneself alone named, and with a stranger', async () => {
    const body = { type: 'normal', participant_ids: [bob.id, cid.id] };
    expect(await wrongField(ann.call('POST', '/v1.0/talks', body))).toEqual(['participant_ids']);
    expect((await newTalk(eve, [eve], { type: 'normal' })).member_count).toBe(1);
    expect(await wrongField(ann.call('POST', '/v1.0/talks', { participant_ids: [stranger.id] }))).toEqual([
      'participant_ids',
    ]);
  });

  test('that was deleted gives way to a new one; one that somebody left is completed again', async () => {
    const [x, y] = (await newPeople(hub, ['X', 'Y'])) as [Person, Person];
    const first = await newTalk(x, [y], { type: 'normal' });
    await ok(x.call('DELETE', `/v1.0/talks/${first.id}`));
    const second = await newTalk(y, [x], { type: 'normal' });
    expect(second.id).not.toBe(first.id);
    await ok(y.call('DELETE', `/v1.0/talks/${second.id}/participants/${(await participantOf(second, y)).id}`));
    await ok(x.call('DELETE', `/v1.0/talks/${second.id}/participants/${(await participantOf(second, x)).id}`));
    const again = await newTalk(x, [y], { type: 'normal' });
    expect(again).toMatchObject({ id: second.id, state: 'active', member_count: 2 });
  });
});

describe('participants', () => {
  test('alone see and act; others learn nothing but that they may not', async () => {
    const talk = await newTalk(ann, [bob], { name: 'secret name' });
    const { id } = await say(ann, talk, 'secret words');
    const paths: [string, string, Json?][] = [
      ['GET', `/v1.0/talks/${talk.id}`],
      ['PUT', `/v1.0/talks/${talk.id}`, { name: 'x' }],
      ['DELETE', `/v1.0/talks/${talk.id}`],
      ['GET', `/v1.0/talks/${talk.id}/participants`],
      ['POST', `/v1.0/talks/${talk.id}/participants`, { agent_id: eve.id }],
      ['DELETE', `/v1.0/talks/${talk.id}/participants/${crypto.randomUUID()}`],
      ['POST', `/v1.0/talks/${talk.id}/close`],
      ['POST', `/v1.0/talks/${talk.id}/reopen`],
      ['PUT', `/v1.0/talks/${talk.id}/read`, { sequence: 1 }],
      ['GET', `/v1.0/talks/${talk.id}/messages`],
      ['POST', `/v1.0/talks/${talk.id}/messages`, { text: 'x' }],
      ['GET', `/v1.0/messages/${id}`],
      ['PUT', `/v1.0/messages/${id}`, { text: 'x' }],
      ['GET', `/v1.0/messages/${id}/edits`],
      ['GET', `/v1.0/messages/${id}/replies`],
      ['DELETE', `/v1.0/messages/${id}`],
      ['POST', `/v1.0/messages/${id}/reactions`, { emoji: 'x' }],
      ['DELETE', `/v1.0/messages/${id}/reactions/x`],
      ['GET', `/v1.0/talks/${talk.id}/stream`],
    ];
    for (const [method, path, body] of paths) {
      const outside = await eve.call(method, path, body);
      expect([outside.status, method, path]).toEqual([403, method, path]);
      const foreign = await stranger.call(method, path, body);
      expect([foreign.status, method, path]).toEqual([404, method, path]);
      expect(JSON.stringify([outside.body, foreign.body])).not.toContain('secret');
      expect(await refusal(hub.call(method, path, body))).toEqual([403, 'AGENT_AUTH_REQUIRED']);
    }
    expect(await messagesOf(bob, talk)).toMatchObject([{ id, text: 'secret words', metadata: { reactions: [] } }]);
  });

  test('are agents of the customer, and who is in stays who it is', async () => {
    const talk = await newTalk(ann, []);
    const add = (body: Json) => ann.call('POST', `/v1.0/talks/${talk.id}/participants`, body);
    expect(await wrongField(add({ agent_id: stranger.id }))).toEqual(['agent_id']);
    expect(await wrongField(add({ owner_id: crypto.randomUUID() }))).toEqual(['owner_id']);
    expect(await wrongField(add({ owner_id: 'nobody' }))).toEqual(['owner_id']);
    expect(await wrongField(add({ owner_type: 'accesskey', owner_id: bob.id }))).toEqual(['owner_type']);
    expect(await wrongField(add({}))).toEqual(['owner_id']);
    const first = await ok(add({ agent_id: bob.id }));
    expect((await ok(add({ agent_id: bob.id }))).id).toBe(first.id);
    expect(await messagesOf(ann, talk)).toHaveLength(1);
  });

  test('of another talk cannot be removed through this one', async () => {
    const mine = await newTalk(ann, [cid]);
    const theirs = await newTalk(bob, [cid]);
    const { id } = await participantOf(theirs, cid);
    expect(await refusal(ann.call('DELETE', `/v1.0/talks/${mine.id}/participants/${id}`))).toEqual([
      404,
      'TALK_PARTICIPANT_NOT_FOUND',
    ]);
    expect(await participantsOf(bob, theirs)).toHaveLength(2);
  });

  test('who left see nothing any more, and come back as somebody new', async () => {
    const talk = await newTalk(ann, [bob]);
    const { id } = await participantOf(talk, bob);
    await ok(bob.call('DELETE', `/v1.0/talks/${talk.id}/participants/${id}`));
    expect((await bob.call('GET', `/v1.0/talks/${talk.id}/messages`)).status).toBe(403);
    expect(await refusal(ann.call('DELETE', `/v1.0/talks/${talk.id}/participants/${id}`))).toEqual([
      404,
      'TALK_PARTICIPANT_NOT_FOUND',
    ]);
    const again = await ok(ann.call('POST', `/v1.0/talks/${talk.id}/participants`, { agent_id: bob.id }));
    expect(again.id).not.toBe(id);
    expect(await messagesOf(bob, talk)).toHaveLength(2);
    await eventually(async () =>
      expect((await ok(bob.call('GET', '/v1.0/talks'))).result.map((each: Json) => each.id)).toContain(talk.id),
    );
  });
});

describe('a channel', () => {
  test('is found and read by every agent, joined by itself, and written by who is in it', async () => {
    const channel = await newTalk(ann, [], { type: 'talk', name: 'general' });
    expect(channel).toMatchObject({ type: 'channel', name: 'general' });
    await say(ann, channel, 'welcome');
    const { result } = await ok(bob.call('GET', '/v1.0/service_agents/talk_channels'));
    expect(result.map(({ id }: Json) => id)).toContain(channel.id);
    expect((await ok(stranger.call('GET', '/v1.0/service_agents/talk_channels'))).result).toEqual([]);
    expect(await messagesOf(bob, channel)).toMatchObject([{ text: 'welcome' }]);
    expect((await bob.call('POST', `/v1.0/talks/${channel.id}/messages`, { text: 'x' })).status).toBe(403);
    expect((await bob.call('POST', `/v1.0/talks/${channel.id}/participants`, { agent_id: cid.id })).status).toBe(403);
    const joined = await ok(bob.call('POST', `/v1.0/talks/${channel.id}/join`));
    expect(joined).toMatchObject({ owner_id: bob.id, chat_id: channel.id });
    await say(bob, channel, 'thanks');
    expect(await refusal(bob.call('POST', `/v1.0/talks/${(await newTalk(bob, [])).id}/join`))).toEqual([
      400,
      'INVALID_ARGUMENT',
    ]);
  });
});

describe('a message', () => {
  test('belongs to a thread of its own talk, at any depth, and a deleted parent keeps its place', async () => {
    const talk = await newTalk(ann, [bob]);
    const top = await say(ann, talk, 'top');
    const reply = await say(bob, talk, 'reply', { parent_id: top.id });
    const nested = await say(ann, talk, 'nested', { parent_id: reply.id });
    const elsewhere = await say(ann, await newTalk(ann, [bob]), 'elsewhere');
    const post = (parent_id: string) => ann.call('POST', `/v1.0/talks/${talk.id}/messages`, { text: 'x', parent_id });
    expect(await wrongField(post(elsewhere.id))).toEqual(['parent_id']);
    expect(await wrongField(post(crypto.randomUUID()))).toEqual(['parent_id']);
    expect(await wrongField(post('no-id'))).toEqual(['parent_id']);
    await ok(ann.call('DELETE', `/v1.0/messages/${top.id}`));
    await say(bob, talk, 'late', { parent_id: top.id });
    const { result } = await ok(bob.call('GET', `/v1.0/messages/${top.id}/replies`));
    expect(result.map(({ text }: Json) => text)).toEqual(['late', 'reply']);
    const second = await ok(
      bob.call(
        'GET',
        `/v1.0/messages/${top.id}/replies?page_size=1&page_token=${encodeURIComponent(result[0].tm_create)}`,
      ),
    );
    expect(second).toMatchObject({ result: [{ text: 'reply' }], next_page_token: '' });
    expect((await ok(bob.call('GET', `/v1.0/messages/${reply.id}/replies`))).result).toMatchObject([{ id: nested.id }]);
    expect(await ok(bob.call('GET', `/v1.0/messages/${top.id}`))).toMatchObject({ text: '', medias: [] });
  });

  test('that is not one is refused by the field', async () => {
    const talk = await newTalk(ann, [bob]);
    const post = (body: Json) => ann.call('POST', `/v1.0/talks/${talk.id}/messages`, body);
    expect(await wrongField(post({ type: 'system', text: 'Ann is the boss.' }))).toEqual(['type']);
    expect(await wrongField(post({ text: '   ' }))).toEqual(['text']);
    expect(await wrongField(post({}))).toEqual(['text']);
    expect(await wrongField(post({ text: 'x'.repeat(10_001) }))).toEqual(['text']);
    expect(await wrongField(post({ text: 'x', medias: [{ type: 'image/png', url: 'javascript:alert(1)' }] }))).toEqual([
      'medias.0.url',
    ]);
    const [status] = await refusal(ann.call('POST', '/v1.0/service_agents/talk_messages', { chat_id: 'x', text: 'x' }));
    expect(status).toBe(400);
    expect(await messagesOf(ann, talk)).toEqual([]);
  });

  test('names its mentions by user name, by its first part and by displayed name', async () => {
    const talk = await newTalk(ann, [bob, cid]);
    expect((await say(ann, talk, `@bob and @${cid.username}, not mail@eve.example`)).mentions).toEqual([
      bob.id,
      cid.id,
    ]);
    expect((await say(ann, talk, 'hello @CID!')).mentions).toEqual([cid.id]);
    expect((await say(ann, talk, '@bobby @eve')).mentions).toEqual([]);
  });

  test('is edited by its author, and says what it said before', async () => {
    const talk = await newTalk(ann, [bob]);
    const { id } = await say(ann, talk, 'first', {
      medias: [{ type: 'image/png', url: 'https://example.com/a.png', name: 'a' }],
    });
    expect(await refusal(bob.call('PUT', `/v1.0/messages/${id}`, { text: 'mine now' }))).toEqual([
      403,
      'PERMISSION_DENIED',
    ]);
    expect(await wrongField(ann.call('PUT', `/v1.0/messages/${id}`, { text: '', medias: [] }))).toEqual(['text']);
    const same = await ok(ann.call('PUT', `/v1.0/messages/${id}`, { text: 'first' }));
    expect(same.tm_edit).toBe('');
    await ok(ann.call('PUT', `/v1.0/messages/${id}`, { text: 'second @bob' }));
    const edited = await ok(ann.call('PUT', `/v1.0/messages/${id}`, { text: 'third', medias: [] }));
    expect(edited).toMatchObject({ text: 'third', medias: [], mentions: [] });
    expect(edited.tm_edit).toBe(edited.tm_update);
    const { result } = await ok(bob.call('GET', `/v1.0/messages/${id}/edits`));
    expect(result).toMatchObject([{ text: 'first', medias: [{ name: 'a' }] }, { text: 'second @bob' }]);
    expect(result[0].tm_create).toBe(edited.tm_create);
  });

  test('that is deleted is in no answer any more: neither its text nor its versions', async () => {
    const talk = await newTalk(ann, [bob]);
    const before = await ok(hub.call('GET', '/v1.0/events?page_size=100'));
    const { id } = await say(ann, talk, 'confidential first');
    await ok(ann.call('PUT', `/v1.0/messages/${id}`, { text: 'confidential second' }));
    expect(await refusal(bob.call('DELETE', `/v1.0/messages/${id}`))).toEqual([403, 'PERMISSION_DENIED']);
    const deleted = await ok(ann.call('DELETE', `/v1.0/messages/${id}`));
    expect(deleted.tm_delete).not.toBe('');
    expect((await ok(ann.call('DELETE', `/v1.0/messages/${id}`))).tm_delete).toBe(deleted.tm_delete);
    const answers = [
      deleted,
      await messagesOf(bob, talk),
      await ok(bob.call('GET', `/v1.0/messages/${id}`)),
      await ok(bob.call('GET', `/v1.0/messages/${id}/edits`)),
    ];
    expect(JSON.stringify(answers)).not.toContain('confidential');
    await evictDurableObject(objectOf(talk));
    expect(JSON.stringify(await messagesOf(bob, talk))).not.toContain('confidential');
    await eventually(async () => {
      const events = await ok(hub.call('GET', `/v1.0/events?page_size=100&after=${before.next_page_token}`));
      const everything = JSON.stringify([events, await ok(bob.call('GET', '/v1.0/service_agents/talk_messages'))]);
      expect(events.result.some(({ type, data }: Json) => type === 'message_deleted' && data.id === id)).toBe(true);
      expect(everything).not.toContain('confidential');
    });
    expect((await bob.call('POST', `/v1.0/messages/${id}/reactions`, { emoji: 'x' })).status).toBe(404);
    expect((await ann.call('PUT', `/v1.0/messages/${id}`, { text: 'x' })).status).toBe(404);
  });

  test('is deleted by an administrator too, who sees nothing of it', async () => {
    const talk = await newTalk(ann, [bob]);
    const { id } = await say(ann, talk, 'rude words');
    expect((await boss.call('GET', `/v1.0/messages/${id}`)).status).toBe(403);
    expect(await ok(boss.call('DELETE', `/v1.0/messages/${id}`))).toMatchObject({ id, text: '' });
  });

  test('sent twice under one Idempotency-Key or one client_id is one; another content is another message', async () => {
    const talk = await newTalk(ann, [bob]);
    const send = (text: string, client_id: string, headers: Record<string, string> = {}) =>
      ann.call('POST', `/v1.0/talks/${talk.id}/messages`, { text, client_id }, headers);
    const keyed = await Promise.all(Array.from({ length: 5 }, () => ok(send('keyed', '', { 'idempotency-key': 'k' }))));
    expect(new Set(keyed.map(({ id }) => id)).size).toBe(1);
    expect(await refusal(send('other', '', { 'idempotency-key': 'k' }))).toEqual([409, 'IDEMPOTENCY_KEY_REUSED']);
    const named = await Promise.all(Array.from({ length: 5 }, () => ok(send('named', '1'))));
    expect(new Set(named.map(({ id }) => id)).size).toBe(1);
    await evictDurableObject(objectOf(talk));
    expect((await ok(send('named', '1'))).id).toBe(named[0].id);
    expect((await ok(send('after a reload', '1'))).id).not.toBe(named[0].id);
    expect(
      (await ok(bob.call('POST', `/v1.0/talks/${talk.id}/messages`, { text: 'named', client_id: '1' }))).id,
    ).not.toBe(named[0].id);
    expect(await messagesOf(ann, talk)).toHaveLength(4);
  });
});

describe('what looks harmless', () => {
  test('a repeated request that opened a talk lets nobody back in, however old its key is', async () => {
    const open = () =>
      ann.call('POST', '/v1.0/talks', { name: 'private', participant_ids: [bob.id] }, { 'idempotency-key': 'old' });
    const talk = await ok(open());
    await ok(bob.call('DELETE', `/v1.0/talks/${talk.id}/participants/${(await participantOf(talk, ann)).id}`));
    await env.DB.prepare('DELETE FROM idempotency_keys').run();
    expect((await open()).status).toBe(403);
    expect((await ann.call('GET', `/v1.0/talks/${talk.id}`)).status).toBe(403);
  });

  test('a message’s id is no talk’s id, though it leads to the same object', async () => {
    const talk = await newTalk(ann, [], { type: 'normal' });
    const { id } = await say(ann, talk, 'here');
    const wrong: [string, string, Json?][] = [
      ['GET', `/v1.0/talks/${id}`],
      ['DELETE', `/v1.0/talks/${id}`],
      ['PUT', `/v1.0/talks/${id}/read`, { sequence: 1 }],
      ['POST', `/v1.0/talks/${id}/messages`, { text: 'x' }],
      ['POST', `/v1.0/talks/${id}/participants`, { agent_id: eve.id }],
      ['POST', `/v1.0/talks/${id}/close`],
      ['GET', `/v1.0/talks/${id}/messages`],
      ['GET', `/v1.0/talks/${id}/stream`],
    ];
    for (const [method, path, body] of wrong)
      expect(await refusal(ann.call(method, path, body)), `${method} ${path}`).toEqual([404, 'TALK_NOT_FOUND']);
    expect(await ok(ann.call('GET', `/v1.0/talks/${talk.id}`))).toMatchObject({ state: 'active', member_count: 1 });
  });

  test('a repeated reaction does not bring back what was deleted meanwhile', async () => {
    const talk = await newTalk(ann, [bob]);
    const { id } = await say(ann, talk, 'confidential');
    const react = (emoji = 'x') =>
      bob.call('POST', `/v1.0/messages/${id}/reactions`, { emoji }, { 'idempotency-key': 'r1' });
    await ok(react());
    expect(await refusal(react('y'))).toEqual([409, 'IDEMPOTENCY_KEY_REUSED']);
    await ok(ann.call('DELETE', `/v1.0/messages/${id}`));
    expect(JSON.stringify(await ok(react()))).not.toContain('confidential');
    await ok(ann.call('DELETE', `/v1.0/talks/${talk.id}/participants/${(await participantOf(talk, bob)).id}`));
    expect((await react()).status).toBe(403);
  });

  test('a client_id that is used again after a deletion is another message when it says something else', async () => {
    const talk = await newTalk(ann, [bob]);
    const first = await say(ann, talk, 'hi', { client_id: '1' });
    await ok(ann.call('DELETE', `/v1.0/messages/${first.id}`));
    expect((await say(ann, talk, 'hi', { client_id: '1' })).id).toBe(first.id);
    const second = await say(ann, talk, 'call me at 5', { client_id: '1' });
    expect(second).toMatchObject({ text: 'call me at 5' });
    expect(second.id).not.toBe(first.id);
  });

  test('deleting by guessed ids tells an outsider nothing', async () => {
    const talk = await newTalk(ann, [bob]);
    const { id } = await say(ann, talk, 'x');
    const none = `${id.slice(0, -3)}fff`;
    expect(await refusal(eve.call('DELETE', `/v1.0/messages/${id}`))).toEqual([403, 'PERMISSION_DENIED']);
    expect(await refusal(eve.call('DELETE', `/v1.0/messages/${none}`))).toEqual([403, 'PERMISSION_DENIED']);
    expect(await refusal(ann.call('DELETE', `/v1.0/messages/${none}`))).toEqual([404, 'TALK_MESSAGE_NOT_FOUND']);
  });

  test('messages of one moment are both in the list, wherever its pages end', async () => {
    const [x, y] = (await newPeople(hub, ['X', 'Y'])) as [Person, Person];
    const talk = await newTalk(x, [y], { type: 'normal' });
    for (const one of [y, x])
      await ok(one.call('DELETE', `/v1.0/talks/${talk.id}/participants/${(await participantOf(talk, one)).id}`));
    await newTalk(x, [y], { type: 'normal' });
    const all = (await messagesOf(x, talk)).map(({ id }) => id);
    const paged: string[] = [];
    let token = '';
    do {
      const query = `page_size=1&page_token=${encodeURIComponent(token)}`;
      const page = await ok(x.call('GET', `/v1.0/talks/${talk.id}/messages?${query}`));
      paged.push(...page.result.map(({ id }: Json) => id));
      token = page.next_page_token;
    } while (token !== '');
    expect(paged).toEqual(all);
    expect(all).toHaveLength(4);
  });
});

describe('reactions', () => {
  test('of a hundred agents, added and removed at once, are an exact set', async () => {
    const crowd = await newPeople(
      hub,
      Array.from({ length: 100 }, (_, index) => `Crowd ${index}`),
    );
    const talk = await newTalk(ann, crowd);
    const { id } = await say(ann, talk, 'who is for it?');
    const react = (person: Person, emoji: string) => person.call('POST', `/v1.0/messages/${id}/reactions`, { emoji });
    const unreact = (person: Person, emoji: string) =>
      person.call('DELETE', `/v1.0/messages/${id}/reactions/${encodeURIComponent(emoji)}`);
    const answers = await Promise.all(
      crowd.flatMap((person, index) => [
        react(person, '👍'),
        react(person, '👍'),
        react(person, '🎉'),
        ...(index % 2 === 0 ? [react(person, '👎').then(() => unreact(person, '👎'))] : []),
      ]),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    await Promise.all(crowd.filter((_, index) => index % 4 === 0).map((person) => unreact(person, '🎉')));
    await evictDurableObject(objectOf(talk));
    const { metadata } = await ok(ann.call('GET', `/v1.0/messages/${id}`));
    const by = (emoji: string): string[] =>
      metadata.reactions
        .filter((each: Json) => each.emoji === emoji)
        .map((each: Json) => each.owner_id)
        .toSorted();
    expect(by('👍')).toEqual(crowd.map((person) => person.id).toSorted());
    expect(by('🎉')).toEqual(
      crowd
        .filter((_, index) => index % 4 !== 0)
        .map((person) => person.id)
        .toSorted(),
    );
    expect(by('👎')).toEqual([]);
    await eventually(async () => {
      const row = await env.DB.prepare('SELECT data FROM talk_messages WHERE id = ?')
        .bind(id)
        .first<{ data: string }>();
      expect(JSON.parse(row?.data ?? '{}').reactions).toHaveLength(175);
    });
  });

  test('are emojis or their names, and a hundred thousand letters are none', async () => {
    const talk = await newTalk(ann, [bob]);
    const { id } = await say(ann, talk, 'x');
    const react = (emoji: unknown) => ann.call('POST', `/v1.0/messages/${id}/reactions`, { emoji });
    expect(await wrongField(react('x'.repeat(100_000)))).toEqual(['emoji']);
    expect(await wrongField(react(''))).toEqual(['emoji']);
    expect(await wrongField(react('two words'))).toEqual(['emoji']);
    expect(await wrongField(react(7))).toEqual(['emoji']);
    expect((await react('x'.repeat(1_100_000))).status).toBe(413);
    expect((await ann.call('POST', `/v1.0/messages/${talk.id}/reactions`, { emoji: 'x' })).status).toBe(404);
    for (let index = 0; index < 50; index += 1) await ok(react(`emoji${index}`));
    expect(await wrongField(react('one-more'))).toEqual(['emoji']);
    expect((await react('emoji0')).status).toBe(200);
  });
});

describe('a closed talk', () => {
  test('takes no messages, edits, reactions or participants, and does again when it is reopened', async () => {
    const talk = await newTalk(ann, [bob]);
    const { id } = await say(ann, talk, 'before');
    expect(await ok(bob.call('POST', `/v1.0/talks/${talk.id}/close`))).toMatchObject({ state: 'closed' });
    expect(await refusal(ann.call('POST', `/v1.0/talks/${talk.id}/messages`, { text: 'x' }))).toEqual([
      409,
      'TALK_CLOSED',
    ]);
    expect(await refusal(ann.call('PUT', `/v1.0/messages/${id}`, { text: 'x' }))).toEqual([409, 'TALK_CLOSED']);
    expect(await refusal(ann.call('POST', `/v1.0/messages/${id}/reactions`, { emoji: 'x' }))).toEqual([
      409,
      'TALK_CLOSED',
    ]);
    expect(await refusal(ann.call('POST', `/v1.0/talks/${talk.id}/participants`, { agent_id: cid.id }))).toEqual([
      409,
      'TALK_CLOSED',
    ]);
    expect(await messagesOf(ann, talk)).toHaveLength(1);
    await evictDurableObject(objectOf(talk));
    expect(await ok(ann.call('POST', `/v1.0/talks/${talk.id}/reopen`))).toMatchObject({ state: 'active' });
    await say(ann, talk, 'after');
  });

  test('is what a talk becomes when all have left; an administrator brings a group back', async () => {
    const talk = await newTalk(ann, []);
    await ok(ann.call('DELETE', `/v1.0/talks/${talk.id}/participants/${(await participantOf(talk, ann)).id}`));
    expect((await bob.call('POST', `/v1.0/talks/${talk.id}/reopen`)).status).toBe(403);
    const back = await ok(boss.call('POST', `/v1.0/talks/${talk.id}/reopen`));
    expect(back).toMatchObject({ state: 'active', member_count: 1 });
    expect((await messagesOf(boss, talk)).map(({ text }) => text)).toEqual([
      'Boss joined the conversation.',
      'Ann left the conversation.',
    ]);
  });
});

describe('a talk', () => {
  test('is renamed, and a change needs something to change', async () => {
    const talk = await newTalk(ann, [bob], { name: 'old' });
    expect(await ok(bob.call('PUT', `/v1.0/talks/${talk.id}`, { name: 'new' }))).toMatchObject({
      name: 'new',
      sequence: talk.sequence + 1,
    });
    expect((await ok(bob.call('PUT', `/v1.0/talks/${talk.id}`, { name: 'new' }))).sequence).toBe(talk.sequence + 1);
    expect(await wrongField(bob.call('PUT', `/v1.0/talks/${talk.id}`, {}))).toEqual(['name']);
    expect(await wrongField(bob.call('POST', '/v1.0/talks', { type: 'party' }))).toEqual(['type']);
  });

  test('opened twice under one Idempotency-Key is one, at once and one after the other', async () => {
    const open = () =>
      ann.call('POST', '/v1.0/talks', { name: 'once', participant_ids: [bob.id] }, { 'idempotency-key': 'talk-1' });
    const opened = await Promise.all(Array.from({ length: 10 }, () => ok(open())));
    expect(new Set(opened.map(({ id }) => id)).size).toBe(1);
    expect((await ok(open())).id).toBe(opened[0].id);
    expect(await participantsOf(ann, opened[0])).toHaveLength(2);
  });

  test('counts what is unread from the read position, which never goes back', async () => {
    const talk = await newTalk(ann, [bob]);
    const first = await say(ann, talk, 'one');
    await say(ann, talk, 'two');
    const gone = await say(ann, talk, 'three');
    const unread = async (by: Person): Promise<number> =>
      (await ok(by.call('GET', `/v1.0/talks/${talk.id}`))).unread_count;
    expect([await unread(bob), await unread(ann)]).toEqual([3, 0]);
    await ok(ann.call('DELETE', `/v1.0/messages/${gone.id}`));
    expect(await unread(bob)).toBe(2);
    const read = (sequence: number) => bob.call('PUT', `/v1.0/talks/${talk.id}/read`, { sequence });
    expect(await ok(read(first.sequence))).toMatchObject({ unread_count: 1 });
    expect(await ok(read(1))).toMatchObject({ unread_count: 1 });
    expect(await wrongField(read(9999))).toEqual(['sequence']);
    expect(await wrongField(read(-1))).toEqual(['sequence']);
    await evictDurableObject(objectOf(talk));
    expect(await unread(bob)).toBe(1);
    const listed = async (by: Person): Promise<Json> =>
      (await ok(by.call('GET', '/v1.0/talks'))).result.find(({ id }: Json) => id === talk.id);
    await eventually(async () => expect((await listed(bob)).unread_count).toBe(1));
    expect((await listed(ann)).unread_count).toBe(0);
  });

  test('tells webhooks of everything, under seed 004’s names', async () => {
    const receiver = listen();
    await ok(hub.call('POST', '/v1.0/webhook_endpoints', { url: receiver.url }));
    const talk = await newTalk(ann, [bob], { name: 'Told' });
    const { id } = await say(ann, talk, 'told');
    await ok(ann.call('PUT', `/v1.0/messages/${id}`, { text: 'told again' }));
    await ok(bob.call('POST', `/v1.0/messages/${id}/reactions`, { emoji: '👀' }));
    await ok(bob.call('DELETE', `/v1.0/messages/${id}/reactions/${encodeURIComponent('👀')}`));
    await ok(ann.call('DELETE', `/v1.0/messages/${id}`));
    await ok(bob.call('DELETE', `/v1.0/talks/${talk.id}/participants/${(await participantOf(talk, bob)).id}`));
    const named = (name: string) => receiver.received.filter(({ body }) => body.type === name);
    const names = [
      'talk_created',
      'participant_joined',
      'message_created',
      'message_updated',
      'reaction_added',
      'reaction_removed',
      'message_deleted',
      'participant_left',
    ];
    await eventually(() =>
      names.forEach((name) =>
        expect(
          named(name).some(({ body }) => (body.data.chat_id ?? body.data.id) === talk.id),
          name,
        ).toBe(true),
      ),
    );
    const added = named('reaction_added').find(({ body }) => body.data.chat_id === talk.id);
    expect(added?.body.data).toMatchObject({ id, reaction: { emoji: '👀', owner_id: bob.id } });
    // People see the talks that they are in, and not all of them through the feed of events.
    const [manager] = (await newPeople(hub, ['Manager'], 64)) as [Person];
    const { result } = await ok(manager.call('GET', '/v1.0/events?page_size=100'));
    expect(result.filter(({ type }: Json) => !type.startsWith('webhook'))).toEqual([]);
  });
});
