import { evictDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, test } from 'vitest';
import { eventually, inbound, newHub, newSandbox, ok, type Hub, type Json } from '../support/hub.ts';
import { listen } from '../support/receiver-worker.ts';

let hub: Hub;
let account: Json;

beforeAll(async () => {
  hub = await newHub();
  account = await newSandbox(hub);
});

const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));
const messagesOf = async (id: string): Promise<Json[]> =>
  (await ok(hub.call('GET', `/v1.0/conversations/${id}/messages`))).result;
const phone = async (contact: string): Promise<Json[]> =>
  (await ok(hub.call('GET', `/v1.0/sandbox/outbox?account_id=${account.id}`))).result.filter(
    (message: Json) => message.to === contact,
  );

describe('50 first messages of one new contact at once, each delivered twice', () => {
  test('make one conversation, 50 messages, and 50 conversation_message_created with 50 ids', async () => {
    const receiver = listen();
    await ok(hub.call('PUT', '/v1.0/customer', { webhook_uri: receiver.url }));
    const contact = '+15550000050';
    const deliver = (index: number) =>
      ok(
        hub.call(
          'POST',
          '/v1.0/sandbox/inbound',
          { account_id: account.id, from: contact, text: `m${index}` },
          { 'idempotency-key': `first-${index}` },
        ),
      );
    const answers = await Promise.all(times(50, (index) => [deliver(index), deliver(index)]).flat());

    expect(new Set(answers.map(({ conversation_id }) => conversation_id)).size).toBe(1);
    expect(new Set(answers.map(({ message_id }) => message_id)).size).toBe(50);
    const { result: open } = await ok(hub.call('GET', `/v1.0/conversations?peer=${encodeURIComponent(contact)}`));
    expect(open).toHaveLength(1);
    const messages = await messagesOf(open[0].id);
    expect(new Set(messages.map(({ text }) => text)).size).toBe(50);
    expect(messages).toHaveLength(50);

    await eventually(() => {
      const created = receiver.received.filter(({ body }) => body.type === 'conversation_message_created');
      expect(new Set(created.map(({ body }) => body.data.id)).size).toBe(50);
      expect(new Set(created.map(({ headers }) => headers.get('webhook-id'))).size).toBe(50);
      expect(receiver.received.filter(({ body }) => body.type === 'conversation_created')).toHaveLength(1);
    });
  });
});

describe('a send retried with the same Idempotency-Key', () => {
  const send = (id: string, text: string, key: string) =>
    hub.call('POST', `/v1.0/conversations/${id}/messages`, { text }, { 'idempotency-key': key });

  test('across an eviction gives the same answer, one message and one provider request', async () => {
    const contact = '+15550000060';
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'hello');
    const first = await ok(send(id, 'once', 'k-evict'));
    await evictDurableObject(env.CONVERSATION.getByName(id));
    expect(await ok(send(id, 'once', 'k-evict'))).toEqual(first);
    await eventually(async () => expect(await phone(contact)).toHaveLength(1));
    expect(await ok(send(id, 'once', 'k-evict'))).toEqual(first);
    expect((await messagesOf(id)).filter(({ direction }) => direction === 'outgoing')).toHaveLength(1);
  });

  test('20 times at once gives one message', async () => {
    const contact = '+15550000061';
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'hello');
    const answers = await Promise.all(times(20, () => ok(send(id, 'once', 'k-race'))));
    expect(new Set(answers.map((answer) => answer.id)).size).toBe(1);
    await eventually(async () => expect(await phone(contact)).toHaveLength(1));
  });

  test('and another body is refused with 409', async () => {
    const { conversation_id: id } = await inbound(hub, account.id, '+15550000062', 'hello');
    await ok(send(id, 'one', 'k-other'));
    expect(await send(id, 'two', 'k-other')).toMatchObject({
      status: 409,
      body: { error: { reason: 'IDEMPOTENCY_KEY_REUSED' } },
    });
  });
});

describe('a create retried with the same Idempotency-Key', () => {
  test('makes one row and shows the same token again, also ten at once', async () => {
    const make = () => ok(hub.call('POST', '/v1.0/accesskeys', { name: 'ci' }, { 'idempotency-key': 'key-once' }));
    const answers = await Promise.all(times(10, make));
    expect(new Set(answers.map(({ token }) => token)).size).toBe(1);
    expect(await make()).toEqual(answers[0]);
    const { result } = await ok(hub.call('GET', '/v1.0/accesskeys'));
    expect(result.filter(({ name }: Json) => name === 'ci')).toHaveLength(1);
    expect(
      await hub.call('POST', '/v1.0/accesskeys', { name: 'other' }, { 'idempotency-key': 'key-once' }),
    ).toMatchObject({ status: 409 });
  });
});

describe('a closed conversation', () => {
  test('is followed by exactly one new one when 20 messages arrive at once, and a late redelivery stays with the old one', async () => {
    const contact = '+15550000070';
    const deliver = (text: string) =>
      ok(
        hub.call(
          'POST',
          '/v1.0/sandbox/inbound',
          { account_id: account.id, from: contact, text },
          { 'idempotency-key': `close-${text}` },
        ),
      );
    const old = await deliver('before');
    expect(
      await ok(hub.call('PUT', `/v1.0/conversations/${old.conversation_id}`, { ai_mode: 'closed' })),
    ).toMatchObject({ state: 'closed' });
    expect(await hub.call('POST', `/v1.0/conversations/${old.conversation_id}/messages`, { text: 'x' })).toMatchObject({
      status: 409,
      body: { error: { reason: 'CONVERSATION_CLOSED' } },
    });

    const answers = await Promise.all(times(20, (index) => deliver(`after ${index}`)));
    const ids = new Set(answers.map(({ conversation_id }) => conversation_id));
    expect(ids.size).toBe(1);
    expect(ids.has(old.conversation_id)).toBe(false);
    expect(await deliver('before')).toEqual(old);
    expect(await messagesOf(old.conversation_id)).toHaveLength(1);
  });

  test('so is a deleted one, which nothing finds any more', async () => {
    const contact = '+15550000071';
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'one');
    const deleted = await ok(hub.call('DELETE', `/v1.0/conversations/${id}`));
    expect(deleted.tm_delete).not.toBe('9999-01-01 00:00:00.000000');
    expect(await hub.call('GET', `/v1.0/conversations/${id}`)).toMatchObject({ status: 404 });
    expect(await hub.call('DELETE', `/v1.0/conversations/${id}`)).toMatchObject({ status: 404 });
    await eventually(async () => {
      const { result } = await ok(hub.call('GET', `/v1.0/conversations?peer=${encodeURIComponent(contact)}`));
      expect(result).toEqual([]);
    });
    expect((await inbound(hub, account.id, contact, 'two')).conversation_id).not.toBe(id);
  });
});

describe('If-Match', () => {
  test('refuses a reply to a conversation that has gone on, with the messages not seen', async () => {
    const contact = '+15550000080';
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'one');
    const seen = (await hub.call('GET', `/v1.0/conversations/${id}`)).headers.get('etag') ?? '';
    await inbound(hub, account.id, contact, 'two');
    const refused = await hub.call(
      'POST',
      `/v1.0/conversations/${id}/messages`,
      { text: 'answer to one' },
      { 'if-match': seen },
    );
    expect(refused).toMatchObject({
      status: 412,
      body: { error: { reason: 'SEQUENCE_MISMATCH', details: { messages: [{ text: 'two' }] } } },
    });
    const future = await hub.call('POST', `/v1.0/conversations/${id}/messages`, { text: 'x' }, { 'if-match': '"999"' });
    expect(future).toMatchObject({ status: 412, body: { error: { details: { messages: [] } } } });
    const now = (await hub.call('GET', `/v1.0/conversations/${id}`)).headers.get('etag') ?? '';
    await ok(hub.call('POST', `/v1.0/conversations/${id}/messages`, { text: 'answer to both' }, { 'if-match': now }));
  });
});
