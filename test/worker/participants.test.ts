import { env } from 'cloudflare:workers';
import { evictDurableObject } from 'cloudflare:test';
import { beforeAll, describe, expect, test } from 'vitest';
import { eventually, inbound, newHub, newSandbox, ok, type Hub, type Json } from '../support/hub.ts';

let hub: Hub;
let account: Json;

beforeAll(async () => {
  hub = await newHub();
  account = await newSandbox(hub);
});

let contacts = 0;
const nextTel = (): string => `+1555700${String((contacts += 1)).padStart(4, '0')}`;
const nextMail = (): string => `person${(contacts += 1)}@company.example`;

const tel = (target: string) => ({ type: 'tel', target });
const email = (target: string) => ({ type: 'email', target });
const post = (participants: Json[], more: Json = {}, headers?: Record<string, string>) =>
  hub.call('POST', '/v1.0/conversations', { participants, ...more }, headers);
const open = (participants: Json[], more: Json = {}): Promise<Json> => ok(post(participants, more));
const add = (id: string, participant: Json) => hub.call('POST', `/v1.0/conversations/${id}/participants`, participant);
const says = async (from: string, text = 'hello'): Promise<string> =>
  (await inbound(hub, account.id, from, text)).conversation_id;
const close = (id: string): Promise<Json> => ok(hub.call('PUT', `/v1.0/conversations/${id}`, { ai_mode: 'closed' }));
const people = async (id: string): Promise<Json[]> =>
  (await ok(hub.call('GET', `/v1.0/conversations/${id}/participants`))).result;

describe('POST /conversations', () => {
  test('makes seed 002’s conversation of two participants, lets the first be written to, and finds it again', async () => {
    const [phone, mail] = [nextTel(), nextMail()];
    const made = await open([tel(phone), email(mail)], { name: 'Customer Support #1234' });
    expect(made).toMatchObject({
      name: 'Customer Support #1234',
      type: 'message',
      account_id: account.id,
      self: { type: 'tel', target: '+15550100000' },
      peer: { type: 'tel', target: phone },
      state: 'active',
      participants: [
        { type: 'tel', target: phone, conversation_id: made.id, addresses: [tel(phone)] },
        { type: 'email', target: mail },
      ],
    });
    expect((await open([email(mail.toUpperCase())])).id).toBe(made.id);
    expect((await open([tel(phone.replace('+1555', '+1 (555) '))], { name: 'Another name' })).name).toBe(made.name);
    await ok(hub.call('POST', `/v1.0/conversations/${made.id}/messages`, { text: 'Your order has been shipped!' }));
    await eventually(async () => {
      const { result } = await ok(hub.call('GET', `/v1.0/sandbox/outbox?account_id=${account.id}`));
      expect(result.find(({ to }: Json) => to === phone)).toMatchObject({ text: 'Your order has been shipped!' });
    });
    expect(await says(phone, 'Thanks for the update!')).toBe(made.id);
    for (const peer of [phone, mail]) {
      await eventually(async () => {
        const { result } = await ok(hub.call('GET', `/v1.0/conversations?peer=${encodeURIComponent(peer)}`));
        expect(result.map(({ id }: Json) => id)).toEqual([made.id]);
      });
    }
  });

  test('finds the conversation that a message has begun, and has the free addresses join it', async () => {
    const [phone, mail] = [nextTel(), nextMail()];
    const id = await says(phone);
    const found = await open([{ name: 'Ada', addresses: [tel(phone), email(mail)] }]);
    expect(found.id).toBe(id);
    expect(found.participants).toMatchObject([{ addresses: [tel(phone), email(mail)] }]);
    expect((await open([email(mail)])).id).toBe(id);
  });

  test('names both conversations when two have the addresses, and leaves everything as it is', async () => {
    const [one, two] = [nextTel(), nextTel()];
    const ids = [await says(one), await says(two)];
    const refused = await post([tel(one), tel(two)]);
    expect(refused).toMatchObject({ status: 409, body: { error: { reason: 'ADDRESS_TAKEN' } } });
    expect(refused.body.error.details.conversation_ids.toSorted()).toEqual(ids.toSorted());
    expect([await people(ids[0] ?? ''), await people(ids[1] ?? '')].map((each) => each.length)).toEqual([1, 1]);
    await close(ids[0] ?? '');
    expect((await open([tel(one), tel(two)])).id).toBe(ids[1]);
    expect(await says(one)).toBe(ids[1]);
  });

  test('makes another one when the last is closed or deleted', async () => {
    const phone = nextTel();
    const first = await open([tel(phone)]);
    await close(first.id);
    const second = await open([tel(phone)]);
    expect(second.id).not.toBe(first.id);
    await ok(hub.call('DELETE', `/v1.0/conversations/${second.id}`));
    const third = await says(phone);
    expect([first.id, second.id]).not.toContain(third);
    expect((await open([tel(phone)])).id).toBe(third);
  });

  test('never leaves two open conversations that hold one address, when thirty come at once with messages among them', async () => {
    const phones = Array.from({ length: 6 }, nextTel);
    const pick = (index: number) => phones[index % phones.length] ?? '';
    const wishes = Array.from({ length: 30 }, (_, index) => [tel(pick(index)), tel(pick(index * 7 + 1))]);
    const answers = await Promise.all([
      ...wishes.map((wish) =>
        post(wish).then(({ status, body }) => (status === 200 ? [body.id] : body.error.details.conversation_ids)),
      ),
      ...phones.map(async (phone) => [await says(phone)]),
    ]);
    const seen = [...new Set<string>(answers.flat())];
    const states = await Promise.all(seen.map((id) => ok(hub.call('GET', `/v1.0/conversations/${id}`))));
    const held = states
      .filter(({ state }) => state !== 'closed')
      .flatMap(({ participants }) =>
        participants.flatMap((each: Json) => each.addresses.map((one: Json) => one.target)),
      );
    expect(new Set(held).size).toBe(held.length);
    for (const phone of phones) expect(held).toContain(phone);
    // And what is said from now on goes where the address is held.
    for (const phone of phones) {
      const id = await says(phone, 'again');
      const holder = states.find(({ participants }) => JSON.stringify(participants).includes(phone));
      expect(id).toBe(holder?.id);
    }
  });

  test('is made once under an Idempotency-Key', async () => {
    const headers = { 'idempotency-key': `new-${nextTel()}` };
    const wish = [tel(nextTel())];
    const [first, again] = [await ok(post(wish, {}, headers)), await ok(post(wish, {}, headers))];
    expect(again).toEqual(first);
    expect((await post([tel(nextTel())], {}, headers)).status).toBe(409);
  });

  test.each([
    [{ participants: [] }, 'participants'],
    [{ participants: [{ type: 'tel' }] }, 'participants.0.target'],
    [{ participants: [{ target: '+15550001111' }] }, 'participants.0.type'],
    [{ participants: [{ type: 'tel', target: 'nobody' }] }, 'participants.0.target'],
    [{ participants: [{ type: 'tel', target: '911' }] }, 'participants.0.target'],
    [{ participants: [{ type: 'email', target: 'a@b' }] }, 'participants.0.target'],
    [{ participants: [{ type: 'pigeon', target: 'x' }] }, 'participants.0.type'],
    [{ participants: [{ addresses: [{ type: 'tel', target: 'x' }] }] }, 'participants.0.addresses.0.target'],
    [{ participants: [{ type: 'line', target: 'U1' }] }, 'participants'],
    [{}, 'participants'],
  ])('%j is a 400 that names the field', async (body, field) => {
    const answer = await hub.call('POST', '/v1.0/conversations', body);
    expect({ status: answer.status, fields: Object.keys(answer.body.error.details) }).toEqual({
      status: 400,
      fields: [field],
    });
  });
});

describe('participants', () => {
  test('are added and removed, also after an eviction, and webhooks are told', async () => {
    const [phone, second] = [nextTel(), nextTel()];
    const { id } = await open([tel(phone)]);
    const added = await ok(add(id, tel(second)));
    expect(added).toMatchObject({ conversation_id: id, type: 'tel', target: second, contact_id: expect.any(String) });
    expect(await ok(add(id, tel(second)))).toEqual(added);
    await evictDurableObject(env.CONVERSATION.getByName(id));
    expect(await says(second)).toBe(id);
    expect((await people(id)).map(({ target }) => target)).toEqual([phone, second]);
    const path = `/v1.0/conversations/${id}/participants/${added.id}`;
    expect(await ok(hub.call('DELETE', path))).toMatchObject({ id: added.id });
    expect((await hub.call('DELETE', path)).status).toBe(404);
    await evictDurableObject(env.CONVERSATION.getByName(id));
    const elsewhere = await says(second, 'where am I?');
    expect(elsewhere).not.toBe(id);
    expect(await says(phone)).toBe(id);
    await eventually(async () => {
      const { result } = await ok(hub.call('GET', '/v1.0/events?page_size=100'));
      const told = result.filter(({ data }: Json) => data.id === added.id);
      expect(told.map(({ type }: Json) => type)).toEqual([
        'conversation_participant_added',
        'conversation_participant_removed',
      ]);
      expect(told[0].data).toEqual(added);
    });
  });

  test('with an address of another open conversation are 409 that names it; moved, it comes here', async () => {
    const [phone, moving] = [nextTel(), nextTel()];
    const { id } = await open([tel(phone)]);
    const there = await open([tel(nextTel()), tel(moving)]);
    expect(await add(id, tel(moving))).toMatchObject({
      status: 409,
      body: { error: { reason: 'ADDRESS_TAKEN', details: { conversation_ids: [there.id] } } },
    });
    expect(await people(id)).toHaveLength(1);
    const participant = (await people(there.id)).find(({ target }) => target === moving);
    await ok(hub.call('DELETE', `/v1.0/conversations/${there.id}/participants/${participant?.id}`));
    await ok(add(id, tel(moving)));
    expect(await says(moving)).toBe(id);
  });

  test('are the last one never, join no closed conversation, and are addresses that make sense', async () => {
    const { id } = await open([tel(nextTel())]);
    const [only] = await people(id);
    expect(await hub.call('DELETE', `/v1.0/conversations/${id}/participants/${only?.id}`)).toMatchObject({
      status: 400,
      body: {
        error: { details: { participant_id: 'is the last participant of this conversation and cannot be removed' } },
      },
    });
    expect(await add(id, tel('x'))).toMatchObject({
      status: 400,
      body: { error: { details: { target: expect.any(String) } } },
    });
    await close(id);
    expect(await add(id, tel(nextTel()))).toMatchObject({
      status: 409,
      body: { error: { reason: 'CONVERSATION_CLOSED' } },
    });
    expect((await add(crypto.randomUUID(), tel(nextTel()))).status).toBe(404);
  });

  test('keep their contact over conversations', async () => {
    const phone = nextTel();
    const first = await open([tel(phone)]);
    await close(first.id);
    const [later] = await people(await says(phone));
    expect(later?.contact_id).toBe(first.participants[0].contact_id);
  });
});

describe('DELETE …/participants/{id}?address=', () => {
  test('takes one address out, not the only one, and what comes from there begins another conversation', async () => {
    const [one, two] = [nextTel(), nextTel()];
    const made = await open([{ name: 'Ada', addresses: [tel(one), tel(two)] }]);
    const [person] = await people(made.id);
    const drop = (address: string) =>
      hub.call(
        'DELETE',
        `/v1.0/conversations/${made.id}/participants/${person.id}?address=${encodeURIComponent(address)}`,
      );
    expect((await drop('+15550000000')).status).toBe(400);
    expect(await ok(drop(two))).toMatchObject({ addresses: [tel(one)] });
    expect((await drop(one)).status).toBe(400);
    expect(await says(one)).toBe(made.id);
    expect(await says(two)).not.toBe(made.id);
  });
});
