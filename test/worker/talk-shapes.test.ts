import { beforeAll, describe, expect, test } from 'vitest';
import { eventually, newHub, ok, type Hub, type Json } from '../support/hub.ts';
import { newPeople, type Person } from '../support/people.ts';
import { likeExample } from '../support/seed-shape.ts';
import * as seed from '../fixtures/seed-004.ts';

let hub: Hub;
let a: Person;
let b: Person;
let c: Person;
let outsider: Person;

beforeAll(async () => {
  hub = await newHub();
  [a, b, c, outsider] = (await newPeople(hub, ['Agent A', 'Agent B', 'Agent C', 'Outsider'])) as [
    Person,
    Person,
    Person,
    Person,
  ];
});

/** Both path families of spec section 6, as the seed's two halves use them. */
const families = [
  {
    base: '/v1.0/service_agents/talk_chats',
    message: '/v1.0/service_agents/talk_messages',
    create: (type: string, ids: string[]) => ({
      type,
      participants: ids.map((owner_id) => ({ owner_type: 'agent', owner_id })),
    }),
    add: (owner_id: string) => ({ owner_type: 'agent', owner_id }),
    say: (talk: string, body: Json) => ['/v1.0/service_agents/talk_messages', { chat_id: talk, ...body }] as const,
    list: (talk: string) => `/v1.0/service_agents/talk_messages?chat_id=${talk}`,
    participants: (answer: Json) => answer,
  },
  {
    base: '/v1.0/talks',
    message: '/v1.0/messages',
    create: (type: string, ids: string[]) => ({ type, name: 'Project Discussion', participant_ids: ids }),
    add: (agent_id: string) => ({ agent_id }),
    say: (talk: string, body: Json) => [`/v1.0/talks/${talk}/messages`, body] as const,
    list: (talk: string) => `/v1.0/talks/${talk}/messages`,
    participants: (answer: Json) => answer.result,
  },
];

describe.each(families)('seed 004 under $base', ({ base, message, create, add, say, list, participants }) => {
  const newTalk = (type = 'group', ids = [b.id]): Promise<Json> => ok(a.call('POST', base, create(type, ids)));
  const post = (person: Person, talk: string, body: Json): Promise<Json> => {
    const [path, whole] = say(talk, body);
    return ok(person.call('POST', path, whole));
  };

  test('the tutorial, step by step', async () => {
    const talk = await ok(a.call('POST', base, seed.createTalkRequest));
    likeExample(talk, seed.talk);
    expect(talk).toMatchObject({ type: 'normal', customer_id: hub.customerId, tm_delete: '' });

    const participant = await ok(a.call('POST', `${base}/${talk.id}/participants`, add(b.id)));
    likeExample(participant, seed.participant);
    expect(participant).toMatchObject({ owner_type: 'agent', owner_id: b.id, chat_id: talk.id });

    const sent = await post(a, talk.id, seed.sendRequest);
    likeExample(sent, { ...seed.message, metadata: { reactions: [] } });
    expect(sent).toMatchObject({ owner_id: a.id, chat_id: talk.id, ...seed.sendRequest, metadata: { reactions: [] } });

    const reply = await post(b, talk.id, { text: 'Great idea!', parent_id: sent.id });
    expect(reply).toMatchObject({ owner_id: b.id, parent_id: sent.id });

    const reacted = await ok(a.call('POST', `${message}/${reply.id}/reactions`, seed.reactionRequest));
    likeExample(reacted, seed.message);
    expect(reacted.metadata.reactions).toMatchObject([{ emoji: '👍', owner_type: 'agent', owner_id: a.id }]);
    expect(reacted.tm_update > reacted.tm_create).toBe(true);

    const first = await ok(a.call('GET', `${list(talk.id)}${list('').includes('?') ? '&' : '?'}page_size=2`));
    likeExample(first, seed.messageList);
    expect(first.result.map(({ id }: Json) => id)).toEqual([reply.id, sent.id]);
    expect(first.next_page_token).toBe(sent.tm_create);

    const removed = await ok(a.call('DELETE', `${base}/${talk.id}/participants/${participant.id}`));
    likeExample(removed, seed.participant);
    expect(removed.id).toBe(participant.id);

    const deleted = await ok(a.call('DELETE', `${base}/${talk.id}`));
    likeExample(deleted, seed.deletedTalk);
    expect(deleted.tm_delete).toBe(deleted.tm_update);
    expect((await a.call('GET', `${base}/${talk.id}`)).status).toBe(404);
  });

  test('a talk, its participants and the list of talks', async () => {
    const talk = await newTalk('group', [b.id, c.id]);
    likeExample(await ok(a.call('GET', `${base}/${talk.id}`)), seed.talk);
    const list = participants(await ok(b.call('GET', `${base}/${talk.id}/participants`)));
    expect(list).toHaveLength(3);
    likeExample(list, [seed.participant]);
    const talks = await ok(c.call('GET', base));
    likeExample(talks.result, [seed.talk]);
    expect(talks.result.map(({ id }: Json) => id)).toContain(talk.id);
    expect((await ok(outsider.call('GET', base))).result).toEqual([]);
  });

  test('normal and system messages', async () => {
    const talk = await newTalk();
    const normal = await post(a, talk.id, { text: seed.normalMessage.text });
    likeExample(normal, seed.normalMessage);
    expect(normal).toMatchObject({ type: 'normal', agent_id: a.id, text: seed.normalMessage.text });
    const joined = await ok(a.call('POST', `${base}/${talk.id}/participants`, add(c.id)));
    await ok(a.call('DELETE', `${base}/${talk.id}/participants/${joined.id}`));
    const { result } = await ok(b.call('GET', list(talk.id)));
    expect(result).toMatchObject([
      { type: 'system', owner_type: 'system', text: 'Agent C left the conversation.' },
      { type: 'system', owner_type: 'system', text: 'Agent C joined the conversation.' },
      { type: 'normal' },
    ]);
    likeExample(result[0], seed.leftMessage);
    likeExample(result[1], seed.joinedMessage);
  });

  test('a message with media', async () => {
    const talk = await newTalk();
    expect(await post(a, talk.id, seed.mediaRequest)).toMatchObject(seed.mediaRequest);
  });

  test('a reaction by its name, and taken back', async () => {
    const talk = await newTalk();
    const { id } = await post(a, talk.id, { text: 'The deployment was successful!' });
    const reacted = await ok(b.call('POST', `${message}/${id}/reactions`, seed.overviewReactionRequest));
    expect(reacted.metadata.reactions).toMatchObject([{ emoji: 'thumbsup', owner_id: b.id }]);
    await ok(b.call('POST', `${message}/${id}/reactions`, seed.reactionRequest));
    const taken = await ok(b.call('DELETE', `${message}/${id}/reactions/${encodeURIComponent('👍')}`));
    expect(taken.metadata.reactions).toMatchObject([{ emoji: 'thumbsup' }]);
  });
});

test('the list of messages without a talk is that of all talks that one is in, and of no other', async () => {
  const mine = await ok(a.call('POST', '/v1.0/talks', { name: 'Mine', participant_ids: [b.id] }));
  const theirs = await ok(b.call('POST', '/v1.0/talks', { name: 'Theirs', participant_ids: [c.id] }));
  await ok(a.call('POST', `/v1.0/talks/${mine.id}/messages`, { text: 'in mine' }));
  await ok(b.call('POST', `/v1.0/talks/${theirs.id}/messages`, { text: 'in theirs' }));
  await eventually(async () => {
    const { result } = await ok(b.call('GET', '/v1.0/service_agents/talk_messages?page_size=50'));
    likeExample(result, [{ ...seed.message, metadata: { reactions: [] } }]);
    expect(result.slice(0, 2).map(({ text }: Json) => text)).toEqual(['in theirs', 'in mine']);
  });
  const { result } = await ok(a.call('GET', '/v1.0/service_agents/talk_messages?page_size=50'));
  expect(result.map(({ text }: Json) => text)).not.toContain('in theirs');
});
