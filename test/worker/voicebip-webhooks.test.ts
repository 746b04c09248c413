import { Webhook } from 'standardwebhooks';
import { beforeEach, describe, expect, test } from 'vitest';
import { eventually, inbound, newHub, newSandbox, ok, type Hub, type Json } from '../support/hub.ts';
import { listen, type Received, type Receiver } from '../support/receiver-worker.ts';
import { readId, writeId } from '../../src/dialects/voicebip/ids.ts';
import { hmacSha256, toHex, utf8 } from '../../src/security/encoding.ts';

const OURS = '+15550100000';
const THEIRS = '+15559000001';

let hub: Hub;
let account: Json;

beforeEach(async () => {
  hub = await newHub();
  account = await newSandbox(hub);
});

const newEndpoint = (url: string, rest: Json = {}): Promise<Json> =>
  ok(hub.call('POST', '/v1.0/webhook_endpoints', { url, dialect: 'voicebip', ...rest }));
const say = async (text: string): Promise<string> => (await inbound(hub, account.id, THEIRS, text)).conversation_id;
const typesAt = ({ received }: Receiver): string[] => received.map(({ body }) => body.event_type);

const one = (receiver: Receiver, type: string): Promise<Received> =>
  eventually(() => {
    const found = receiver.received.find(({ body }) => body.event_type === type);
    if (!found) throw new Error(`no ${type} among ${typesAt(receiver).join(', ')}`);
    return found;
  });

/** What Voicebip's code examples compute. */
const expected = async (secret: string, { headers, text }: Received): Promise<string> =>
  `sha256=${toHex(await hmacSha256(utf8(secret), `${headers.get('x-voicebip-timestamp')}.${text}`))}`;

describe('an endpoint of the dialect voicebip', () => {
  test('gets the envelope, signed so that both its own rule and the standardwebhooks library accept it', async () => {
    const agent = await ok(hub.call('POST', '/v1/agents', { webhook_url: 'https://nobody.example/byom' }));
    await ok(
      hub.call('PUT', `/v1.0/conversation_accounts/${account.id}`, { assistant_id: readId('agt', agent.agent_id) }),
    );
    const receiver = listen();
    const { secret } = await newEndpoint(receiver.url);
    const id = await say('hello');
    const webhook = await one(receiver, 'message.received');
    expect(webhook.body).toEqual({
      event_id: webhook.headers.get('x-voicebip-event-id'),
      event_type: 'message.received',
      channel: 'sms',
      agent_id: agent.agent_id,
      number: OURS,
      from: THEIRS,
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      payload: expect.objectContaining({
        message_id: expect.stringMatching(/^msg_/),
        conversation_id: writeId('conv', id),
        message_type: 'text',
        body: 'hello',
        encoding: 'GSM-7',
        status: 'received',
      }),
    });
    expect(webhook.headers.get('x-voicebip-signature')).toBe(await expected(secret, webhook));
    expect(webhook.headers.get('webhook-id')).toBe(webhook.body.event_id);
    expect(new Webhook(secret).verify(webhook.text, Object.fromEntries(webhook.headers))).toEqual(webhook.body);
    expect(webhook.headers.has('x-voipbin-signature')).toBe(false);
    expect(webhook.headers.has('x-voicebip-signature-previous')).toBe(false);
  });

  test('is told of what is sent and of an opt-out, once each, and never of modes', async () => {
    const [voicebip, voipbin] = [listen(), listen()];
    await newEndpoint(voicebip.url);
    await ok(hub.call('POST', '/v1.0/webhook_endpoints', { url: voipbin.url }));
    const id = await say('hello');
    const path = `/v1.0/conversations/${id}`;
    const sent = await ok(hub.call('POST', `${path}/messages`, { text: 'hi' }));
    const told = await one(voicebip, 'message.sent');
    expect(told.body).toMatchObject({
      number: OURS,
      from: THEIRS,
      payload: { message_id: writeId('msg', sent.id), direction: 'outbound', body: 'hi', status: 'sent' },
    });
    await ok(hub.call('PATCH', `/v1/conversations/${writeId('conv', id)}`, { ai_mode: 'human' }));
    await say('STOP');
    expect((await one(voicebip, 'message.opt_out')).body.payload).toMatchObject({
      conversation_id: writeId('conv', id),
      opt_out: true,
    });
    // The other dialect's endpoint has had the event of the mode, which stands before that of the opt-out.
    await eventually(() => voipbin.one('conversation_updated'));
    await eventually(() => expect(typesAt(voicebip)).toHaveLength(4));
    expect(typesAt(voicebip).toSorted()).toEqual([
      'message.opt_out',
      'message.received',
      'message.received',
      'message.sent',
    ]);
    expect(voipbin.received.every(({ body }) => body.event_type === undefined)).toBe(true);
  });

  test('is told of one opt-out once, although the contact’s last conversation has to know it too', async () => {
    const receiver = listen();
    await newEndpoint(receiver.url, { events: ['message.opt_out'] });
    const first = await say('hello');
    await ok(hub.call('PUT', `/v1.0/conversations/${first}`, { ai_mode: 'closed' }));
    const second = await say('STOP');
    await eventually(async () =>
      expect((await ok(hub.call('GET', `/v1.0/conversations/${first}`))).opt_out).toBe(true),
    );
    await one(receiver, 'message.opt_out');
    await eventually(async () => {
      const { result } = await ok(hub.call('GET', '/v1.0/events'));
      expect(result.filter(({ data }: Json) => data.opt_out === true)).toHaveLength(2);
    });
    expect(receiver.received.map(({ body }) => body.payload.conversation_id)).toEqual([writeId('conv', second)]);
  });

  test('is told that a message failed, and why', async () => {
    const receiver = listen();
    await newEndpoint(receiver.url, { events: ['message.failed'] });
    const id = await say('hello');
    await ok(hub.call('POST', '/v1.0/sandbox/faults', { account_id: account.id, count: 1, kind: 'reject' }));
    await ok(hub.call('POST', `/v1.0/conversations/${id}/messages`, { text: 'hi' }));
    const { body } = await one(receiver, 'message.failed');
    expect(body.payload).toMatchObject({ status: 'failed', error: { code: expect.any(String) } });
    expect(typesAt(receiver)).toEqual(['message.failed']);
  });

  test('gets both signatures while its secret is being changed', async () => {
    const receiver = listen();
    const { id, secret: previous } = await newEndpoint(receiver.url);
    const { secret } = await ok(hub.call('POST', `/v1.0/webhook_endpoints/${id}/rotate_secret`));
    await say('hello');
    const webhook = await one(receiver, 'message.received');
    expect(webhook.headers.get('x-voicebip-signature')).toBe(await expected(secret, webhook));
    expect(webhook.headers.get('x-voicebip-signature-previous')).toBe(await expected(previous, webhook));
  });

  test('gets what it missed while it was off, in its own form', async () => {
    const receiver = listen();
    const { id } = await newEndpoint(receiver.url, { status: 'disabled' });
    const conversation = await say('hello');
    await ok(hub.call('POST', `/v1.0/conversations/${conversation}/messages`, { text: 'hi' }));
    await eventually(async () => {
      const { result } = await ok(hub.call('GET', '/v1.0/events'));
      expect(result.map(({ type }: Json) => type)).toContain('conversation_message_sent');
    });
    await ok(hub.call('PUT', `/v1.0/webhook_endpoints/${id}`, { status: 'enabled' }));
    const since = '2020-01-01T00:00:00Z';
    const recovered = await ok(hub.call('POST', `/v1.0/webhook_endpoints/${id}/recover`, { since }));
    expect(recovered).toEqual({ deliveries: 2 });
    const { result } = await ok(hub.call('GET', `/v1.0/webhook_deliveries?endpoint_id=${id}`));
    expect(result.map(({ event_type }: Json) => event_type).toSorted()).toEqual(['message.received', 'message.sent']);
  });

  test('can be tested, and asks for no event of another dialect', async () => {
    const receiver = listen();
    const { id } = await newEndpoint(receiver.url);
    await ok(hub.call('POST', `/v1.0/webhook_endpoints/${id}/test`));
    const notice = await one(receiver, 'webhook_test');
    expect(notice.body).toMatchObject({ event_id: notice.headers.get('webhook-id'), payload: { endpoint_id: id } });
    const refused = {
      status: 400,
      body: { error: { details: { events: expect.stringContaining('is not an event of the dialect') } } },
    };
    const url = 'https://example.com/hook';
    const mixed = { url, dialect: 'voicebip', events: ['conversation_message_received'] };
    expect(await hub.call('POST', '/v1.0/webhook_endpoints', mixed)).toMatchObject(refused);
    expect(await hub.call('POST', '/v1.0/webhook_endpoints', { url, events: ['message.sent'] })).toMatchObject(refused);
    const changed = await hub.call('PUT', `/v1.0/webhook_endpoints/${id}`, { events: ['conversation_updated'] });
    expect(changed).toMatchObject(refused);
    expect(await hub.call('POST', '/v1.0/webhook_endpoints', { url, dialect: 'pigeon' })).toMatchObject({
      status: 400,
    });
  });
});

describe('POST /v1/webhooks/test', () => {
  const ask = (webhook_url: string, event_type: string) =>
    hub.call('POST', '/v1/webhooks/test', { webhook_url, event_type });

  test.each([
    'message.received',
    'message.sent',
    'message.delivered',
    'message.read',
    'message.failed',
    'message.opt_out',
    'window.closing',
  ])('sends a made-up %s, signed, and says how it went', async (type) => {
    const receiver = listen();
    const { secret } = await newEndpoint(receiver.url, { events: ['message.failed'] });
    expect(await ok(ask(receiver.url, type))).toEqual({
      delivery_id: expect.stringMatching(/^del_[0-9a-f]{32}$/),
      status: 'delivered',
      response_code: 200,
      response_time_ms: expect.any(Number),
      error: '',
    });
    const [webhook] = receiver.received;
    if (!webhook) throw new Error('nothing came');
    expect(webhook.body).toMatchObject({ event_type: type, number: '+2349012345678', from: '+2348031234567' });
    expect(webhook.headers.get('x-voicebip-signature')).toBe(await expected(secret, webhook));
  });

  test('sends of an SMS what a real one has: its coding, and why it failed', async () => {
    const receiver = listen();
    for (const type of ['message.received', 'message.failed', 'message.read']) await ok(ask(receiver.url, type));
    const [received, failed, read] = receiver.received.map(({ body }) => body.payload);
    expect(received).toMatchObject({ channel: 'sms', encoding: 'GSM-7', status: 'received', error: null });
    const error = { code: expect.any(String), text: expect.any(String) };
    expect(failed).toMatchObject({ channel: 'sms', encoding: 'GSM-7', status: 'failed', error });
    expect(read).toMatchObject({ channel: 'whatsapp', status: 'read' });
    expect(read).not.toHaveProperty('encoding');
  });

  test('sends once under one Idempotency-Key, and answers alike', async () => {
    const receiver = listen();
    const key = { 'idempotency-key': 'one test' };
    const again = (event_type: string) =>
      hub.call('POST', '/v1/webhooks/test', { webhook_url: receiver.url, event_type }, key);
    const first = await ok(again('message.sent'));
    expect(await ok(again('message.sent'))).toEqual(first);
    expect(receiver.received).toHaveLength(1);
    expect(await again('message.read')).toMatchObject({ status: 409, body: { error_code: 'IDEMPOTENCY_KEY_REUSED' } });
    expect(receiver.received).toHaveLength(1);
  });

  test('says so when the receiver refuses, or is not there', async () => {
    const receiver = listen(() => new Response('no', { status: 500 }));
    expect(await ok(ask(receiver.url, 'message.sent'))).toMatchObject({ status: 'failed', response_code: 500 });
    expect(await ok(ask('https://nobody.example/hook', 'message.sent'))).toMatchObject({
      status: 'failed',
      response_code: null,
    });
  });

  test('refuses what is no URL or no event of the dialect', async () => {
    const cases = [
      ['nonsense', 'message.sent', 'webhook_url'],
      ['https://example.com/hook', 'conversation.mode_changed', 'event_type'],
    ] as const;
    for (const [url, type, field] of cases) {
      expect(await ask(url, type)).toMatchObject({
        status: 400,
        body: { error_code: 'INVALID_ARGUMENT', details: { [field]: expect.any(String) } },
      });
    }
  });
});
