import { beforeAll, describe, expect, test } from 'vitest';
import { eventually, inbound, newHub, newSandbox, ok, type Hub, type Json } from '../support/hub.ts';
import { listen } from '../support/receiver-worker.ts';
import { likeExample } from '../support/seed-shape.ts';
import * as seed from '../fixtures/seed-000.ts';

let hub: Hub;
let account: Json;
let conversationId: string;
let sent: Json;

beforeAll(async () => {
  hub = await newHub();
  account = await newSandbox(hub);
  const first = await inbound(hub, account.id, '+15559876543', 'Thanks for the update!');
  conversationId = first.conversation_id;
  sent = await ok(
    hub.call('POST', `/v1.0/conversations/${conversationId}/messages`, { text: seed.sendRequest.text, medias: [] }),
  );
});

describe('every JSON example of seed 000', () => {
  test('conversation', async () => {
    likeExample(await ok(hub.call('GET', `/v1.0/conversations/${conversationId}`)), seed.conversation);
  });

  test('message', async () => {
    const { result } = await ok(hub.call('GET', `/v1.0/conversations/${conversationId}/messages`));
    const incoming = result.find((message: Json) => message.direction === 'incoming');
    likeExample(incoming, seed.message);
    expect(incoming.status).toBe('received');
  });

  test('the answer to a send', () => {
    likeExample(sent, seed.sendAnswer);
    expect(sent).toMatchObject({ status: 'progressing', direction: 'outgoing' });
  });

  test('account', async () => {
    likeExample(await ok(hub.call('GET', `/v1.0/conversation_accounts/${account.id}`)), seed.account);
    likeExample(await ok(hub.call('GET', `/v1.0/conversation-accounts/${account.id}`)), seed.account);
  });

  test('list of conversations', async () => {
    likeExample(await ok(hub.call('GET', '/v1.0/conversations')), seed.conversationList);
  });

  test('list of messages', async () => {
    await eventually(async () => {
      const list = await ok(hub.call('GET', `/v1.0/conversations/${conversationId}/messages`));
      likeExample(list, seed.messageList);
      expect(list.result.find((message: Json) => message.id === sent.id).status).toBe('done');
    });
  });

  test('inbound message webhook', async () => {
    const receiver = listen();
    await ok(hub.call('PUT', '/v1.0/customer', { webhook_uri: receiver.url }));
    await inbound(hub, account.id, '+15559876543', 'again');
    const webhook = await eventually(() => receiver.one('conversation_message_received'));
    likeExample(webhook.body, seed.inboundWebhook);
    expect(webhook.body.data.message).toMatchObject({
      participant: { type: 'tel', target: '+15559876543' },
      channel: 'sms',
      direction: 'inbound',
      text: 'again',
    });
    expect(webhook.body.data.message.tm_create).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });
});

test('every list has the same envelope, and an empty list is an empty array', async () => {
  const empty = await newHub();
  for (const path of ['conversations', 'conversation_accounts', 'webhook_endpoints', 'webhook_deliveries']) {
    expect(await ok(empty.call('GET', `/v1.0/${path}`))).toEqual({ result: [], next_page_token: '' });
  }
});
