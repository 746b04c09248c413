import { evictDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, test } from 'vitest';
import { eventually, inbound, newHub, newSandbox, ok, type Hub, type Json } from '../support/hub.ts';

let hub: Hub;
let account: Json;

beforeAll(async () => {
  hub = await newHub();
  account = await newSandbox(hub);
});

let contacts = 0;
const newContact = () => `+1555${String((contacts += 1)).padStart(7, '0')}`;

describe('a conversation', () => {
  test('begins with the first message, is in the list at once, and takes the next one', async () => {
    const contact = newContact();
    const first = await inbound(hub, account.id, contact, 'hello');
    const { result } = await ok(hub.call('GET', `/v1.0/conversations?peer=${encodeURIComponent(contact)}`));
    expect(result).toMatchObject([
      { id: first.conversation_id, type: 'message', peer: { type: 'tel', target: contact }, state: 'active' },
    ]);

    const second = await inbound(hub, account.id, contact, 'are you there?');
    expect(second.conversation_id).toBe(first.conversation_id);
    const messages = await ok(hub.call('GET', `/v1.0/conversations/${first.conversation_id}/messages`));
    expect(messages.result.map((message: Json) => message.text)).toEqual(['are you there?', 'hello']);
  });

  test('answers its contact, and the message turns done', async () => {
    const contact = newContact();
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'hello');
    const sent = await ok(hub.call('POST', `/v1.0/conversations/${id}/messages`, { text: 'hi', medias: [] }));
    expect(sent).toMatchObject({ status: 'progressing', direction: 'outgoing', text: 'hi' });
    await eventually(async () => {
      const message = await ok(hub.call('GET', `/v1.0/conversations/${id}/messages/${sent.id}`));
      expect(message).toMatchObject({ status: 'done', deliveries: [{ status: 'sent', attempts: 1 }] });
    });
    const { result } = await ok(hub.call('GET', `/v1.0/sandbox/outbox?account_id=${account.id}`));
    expect(result.filter((message: Json) => message.to === contact)).toMatchObject([
      { message_id: sent.id, text: 'hi' },
    ]);
  });

  test('goes on after its object was evicted', async () => {
    const contact = newContact();
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'one');
    await evictDurableObject(env.CONVERSATION.getByName(id));
    await inbound(hub, account.id, contact, 'two');
    const messages = await ok(hub.call('GET', `/v1.0/conversations/${id}/messages`));
    expect(messages.result.map((message: Json) => [message.text, message.sequence])).toEqual([
      ['two', 3],
      ['one', 2],
    ]);
  });
});
