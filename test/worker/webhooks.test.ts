import { createExecutionContext, createMessageBatch, getQueueResult } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import worker from '../support/faulty-worker.ts';
import { faults } from '../support/faults.ts';
import { eventually, inbound, newHub, newSandbox, ok, type Hub, type Json } from '../support/hub.ts';
import { listen, type Received } from '../support/receiver-worker.ts';

let hub: Hub;
let account: Json;

beforeEach(async () => {
  hub = await newHub();
  account = await newSandbox(hub);
});

afterEach(() => vi.useRealTimers());

const newEndpoint = (url: string, rest: Json = {}): Promise<Json> =>
  ok(hub.call('POST', '/v1.0/webhook_endpoints', { url, ...rest }));
const deliveries = async (query = ''): Promise<Json[]> =>
  (await ok(hub.call('GET', `/v1.0/webhook_deliveries?${query}`))).result;
const endpointNow = (id: string): Promise<Json> => ok(hub.call('GET', `/v1.0/webhook_endpoints/${id}`));
const idsOf = (received: Received[]) => received.map(({ headers }) => headers.get('webhook-id'));
const say = (text: string) => inbound(hub, account.id, '+15550002000', text);

/** What the cron does, at a later time: it brings back what is due. */
async function sweepLater(ms: number): Promise<void> {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms });
  await worker.scheduled({ scheduledTime: Date.now(), cron: '* * * * *', noRetry: () => undefined }, env);
}

const hmacHex = async (key: string, text: string): Promise<string> => {
  const encoder = new TextEncoder();
  const imported = await crypto.subtle.importKey('raw', encoder.encode(key), { name: 'HMAC', hash: 'SHA-256' }, false, [
    'sign',
  ]);
  const signature = new Uint8Array(await crypto.subtle.sign('HMAC', imported, encoder.encode(text)));
  return [...signature].map((byte) => byte.toString(16).padStart(2, '0')).join('');
};

const verify = (secret: string, { text, headers }: Received): unknown =>
  new Webhook(secret).verify(text, Object.fromEntries(headers));

describe('a webhook', () => {
  test('is signed so that the standardwebhooks library and VoIPBIN’s rule accept it', async () => {
    const receiver = listen();
    const endpoint = await newEndpoint(receiver.url);
    expect(endpoint.secret).toMatch(/^whsec_/);
    await say('hello');
    const webhook = await eventually(() => receiver.one('conversation_message_received'));
    expect(verify(endpoint.secret, webhook)).toMatchObject({ type: 'conversation_message_received', sequence: 2 });
    expect(webhook.headers.get('x-voipbin-signature')).toBe(`sha256=${await hmacHex(endpoint.secret, webhook.text)}`);
    expect(() => verify(endpoint.secret, { ...webhook, text: `${webhook.text} ` })).toThrow();
    expect(webhook.method).toBe('POST');
  });

  test('carries what the pull feed has, under the same ids', async () => {
    const receiver = listen();
    await newEndpoint(receiver.url);
    const { conversation_id: id } = await say('hello');
    await ok(hub.call('POST', `/v1.0/conversations/${id}/messages`, { text: 'hi' }));
    await eventually(async () => {
      const { result } = await ok(hub.call('GET', '/v1.0/events'));
      expect(result.map(({ type }: Json) => type)).toContain('conversation_message_sent');
      expect(new Set(idsOf(receiver.received))).toEqual(new Set(result.map((event: Json) => event.id)));
    });
    const first = await ok(hub.call('GET', '/v1.0/events'));
    const rest = await ok(hub.call('GET', `/v1.0/events?after=${first.next_page_token}`));
    expect(rest).toEqual({ result: [], next_page_token: first.next_page_token });
  });

  test('goes only to endpoints that want its type', async () => {
    const [all, some] = [listen(), listen()];
    await newEndpoint(all.url);
    await newEndpoint(some.url, { events: ['conversation_message_received'] });
    await say('hello');
    await eventually(() => {
      expect(all.received).toHaveLength(3);
      expect(some.received.map(({ body }) => body.type)).toEqual(['conversation_message_received']);
    });
  });

  test('of a deleted message holds no text, however late it is delivered', async () => {
    let down = true;
    const receiver = listen(() => new Response(null, { status: down ? 503 : 200 }));
    await newEndpoint(receiver.url);
    const { conversation_id: id, message_id: message } = await say('very secret');
    await eventually(async () => expect((await deliveries()).every(({ attempts }) => attempts === 1)).toBe(true));
    await ok(hub.call('DELETE', `/v1.0/conversations/${id}/messages/${message}`));
    await eventually(async () => expect(await deliveries('event_type=conversation_message_deleted')).toHaveLength(1));
    down = false;
    await sweepLater(10 * 60_000);
    await eventually(() => expect(receiver.received.length).toBeGreaterThanOrEqual(4));
    expect(receiver.received.map(({ text }) => text).join()).not.toContain('very secret');
  });
});

describe('a receiver that is down and comes back', () => {
  test('gets everything with the ids of the first attempts; its deliveries are visible meanwhile', async () => {
    let down = true;
    const tried: (string | null)[] = [];
    const receiver = listen((request) => {
      tried.push(request.headers.get('webhook-id'));
      return new Response(null, { status: down ? 500 : 200 });
    });
    const endpoint = await newEndpoint(receiver.url);
    for (const text of ['one', 'two', 'three']) await say(text);
    await eventually(async () => {
      const pending = await deliveries(`endpoint_id=${endpoint.id}&status=pending`);
      expect(pending).toHaveLength(7);
      for (const delivery of pending)
        expect(delivery).toMatchObject({ attempts: 1, response_status: 500, error: 'HTTP_500' });
    });
    expect((await endpointNow(endpoint.id)).failing_since).not.toBeNull();
    down = false;
    await sweepLater(60_000);
    await eventually(async () => {
      expect(await deliveries('status=succeeded')).toHaveLength(7);
      expect(new Set(idsOf(receiver.received))).toEqual(new Set(tried));
    });
    expect((await endpointNow(endpoint.id)).failing_since).toBeNull();
  });

  test('is asked again no sooner than its Retry-After says', async () => {
    let answers = 0;
    const receiver = listen(() =>
      (answers += 1) === 1
        ? new Response(null, { status: 429, headers: { 'retry-after': '3600' } })
        : new Response('ok'),
    );
    await newEndpoint(receiver.url, { events: ['conversation_created'] });
    await say('hello');
    await eventually(async () =>
      expect(await deliveries()).toMatchObject([{ attempts: 1, status: 'pending', response_status: 429 }]),
    );
    await sweepLater(3500_000);
    expect(answers).toBe(1);
    await sweepLater(200_000);
    await eventually(async () => expect(await deliveries()).toMatchObject([{ attempts: 2, status: 'succeeded' }]));
  });

  test('gets it although the queue lost the job', async () => {
    const receiver = listen();
    await newEndpoint(receiver.url, { events: ['conversation_created'] });
    faults.queueLoses = true;
    await say('hello');
    await eventually(async () => expect(await deliveries()).toMatchObject([{ attempts: 0, status: 'pending' }]));
    faults.queueLoses = false;
    await sweepLater(0);
    await eventually(() => receiver.one('conversation_created'));
  });

  test('gets it once although the job comes three times', async () => {
    const receiver = listen();
    await newEndpoint(receiver.url, { events: ['conversation_created'] });
    faults.queueLoses = true;
    await say('hello');
    const [delivery] = await eventually(async () => {
      const found = await deliveries();
      expect(found).toHaveLength(1);
      return found;
    });
    const job = { timestamp: new Date(), attempts: 1, body: { v: 1, webhookDeliveryId: delivery.id } };
    const batch = createMessageBatch(
      'webhooks',
      ['a', 'b', 'c'].map((id) => ({ id, ...job })),
    );
    await worker.queue(batch, env);
    expect((await getQueueResult(batch, createExecutionContext())).explicitAcks).toHaveLength(3);
    expect(receiver.received).toHaveLength(1);
  });
});

describe('the delivery log', () => {
  test('keeps what succeeded for 30 days, and what failed for longer', async () => {
    let down = false;
    const receiver = listen(() => new Response(null, { status: down ? 410 : 200 }));
    await newEndpoint(receiver.url, { events: ['conversation_message_created'] });
    await say('delivered');
    await eventually(async () => expect(await deliveries('status=succeeded')).toHaveLength(1));
    down = true;
    await say('refused');
    await eventually(async () => expect(await deliveries('status=failed')).toHaveLength(1));
    await sweepLater(29 * 24 * 3600_000);
    expect(await deliveries()).toHaveLength(2);
    await sweepLater(2 * 24 * 3600_000);
    expect(await deliveries()).toMatchObject([{ status: 'failed' }]);
  });
});

describe('a receiver that fails for good', () => {
  test('has its delivery end as failed after ten attempts, and gets it when somebody retries', async () => {
    let down = true;
    const receiver = listen(() => new Response(null, { status: down ? 500 : 200 }));
    await newEndpoint(receiver.url, { events: ['conversation_created'] });
    await say('hello');
    const status = async () => (await deliveries())[0];
    for (let attempt = 1; attempt < 10; attempt += 1) {
      await eventually(async () => expect(await status()).toMatchObject({ attempts: attempt, error: 'HTTP_500' }));
      await sweepLater(Date.parse(`${(await status()).next_attempt_at}Z`) - Date.now());
    }
    await eventually(async () => expect(await status()).toMatchObject({ status: 'failed', attempts: 10 }));
    down = false;
    const { id } = await status();
    await ok(hub.call('POST', `/v1.0/webhook_deliveries/${id}/retry`));
    await eventually(async () => expect(await status()).toMatchObject({ status: 'succeeded' }));
    expect(idsOf(receiver.received)).toEqual([(await status()).event_id]);
  });

  test('with 410 is disabled at once, and the other endpoints are told', async () => {
    const gone = listen(() => new Response(null, { status: 410 }));
    const other = listen();
    const endpoint = await newEndpoint(gone.url, { events: ['conversation_created'] });
    await newEndpoint(other.url, { events: ['webhook_endpoint_disabled'] });
    await say('hello');
    await eventually(async () =>
      expect(await endpointNow(endpoint.id)).toMatchObject({
        status: 'disabled',
        disabled_reason: 'the receiver answered 410 Gone',
      }),
    );
    await sweepLater(0);
    expect((await eventually(() => other.one('webhook_endpoint_disabled'))).body.data).toMatchObject({
      endpoint_id: endpoint.id,
    });
  });

  test('with 410 to many events at once is announced once', async () => {
    const gone = listen(() => new Response(null, { status: 410 }));
    const other = listen();
    const endpoint = await newEndpoint(gone.url);
    await newEndpoint(other.url, { events: ['webhook_endpoint_disabled'] });
    for (const text of ['one', 'two', 'three']) await say(text);
    await eventually(async () => expect(await deliveries(`status=pending&endpoint_id=${endpoint.id}`)).toEqual([]));
    await sweepLater(0);
    await eventually(() => other.one('webhook_endpoint_disabled'));
    expect(
      (await ok(hub.call('GET', '/v1.0/events'))).result.filter(
        ({ type }: Json) => type === 'webhook_endpoint_disabled',
      ),
    ).toHaveLength(1);
  });

  test('for five days is disabled and says so; recover brings what it missed, also from while it was off', async () => {
    let down = true;
    const receiver = listen(() => new Response(null, { status: down ? 500 : 200 }));
    const endpoint = await newEndpoint(receiver.url, { events: ['conversation_message_created'] });
    const since = new Date(Date.now() - 60_000).toISOString();
    await say('one');
    await eventually(async () => expect(await deliveries()).toMatchObject([{ attempts: 1 }]));
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 5 * 24 * 3600_000 });
    await say('two');
    await eventually(async () =>
      expect(await endpointNow(endpoint.id)).toMatchObject({
        status: 'disabled',
        disabled_reason: 'nothing succeeded for five days',
      }),
    );
    await say('three');
    down = false;
    expect(await hub.call('POST', `/v1.0/webhook_endpoints/${endpoint.id}/recover`, { since })).toMatchObject({
      status: 409,
    });
    await ok(hub.call('PUT', `/v1.0/webhook_endpoints/${endpoint.id}`, { status: 'enabled' }));
    await ok(hub.call('POST', `/v1.0/webhook_endpoints/${(await newEndpoint('https://example.com/other')).id}/test`));
    expect(await ok(hub.call('POST', `/v1.0/webhook_endpoints/${endpoint.id}/recover`, { since }))).toEqual({
      deliveries: 1,
    });
    await sweepLater(24 * 3600_000);
    await eventually(() =>
      expect(new Set(receiver.received.map(({ body }) => body.data.text))).toEqual(new Set(['one', 'two', 'three'])),
    );
  });

  test('by redirecting is not followed', async () => {
    const target = listen();
    const receiver = listen(() => new Response(null, { status: 302, headers: { location: target.url } }));
    await newEndpoint(receiver.url, { events: ['conversation_created'] });
    await say('hello');
    await eventually(async () =>
      expect(await deliveries()).toMatchObject([{ status: 'pending', response_status: 302, error: 'HTTP_302' }]),
    );
    expect(target.received).toEqual([]);
  });
});

describe('an endpoint', () => {
  test('signs with both secrets while a rotation lasts, and with the new one alone after a day', async () => {
    const receiver = listen();
    const endpoint = await newEndpoint(receiver.url, { events: ['conversation_message_created'] });
    const rotated = await ok(hub.call('POST', `/v1.0/webhook_endpoints/${endpoint.id}/rotate_secret`));
    expect(rotated.secret).not.toBe(endpoint.secret);
    await say('during');
    await eventually(() => expect(receiver.received).toHaveLength(1));
    const [during] = receiver.received;
    if (!during) throw new Error('nothing received');
    verify(rotated.secret, during);
    verify(endpoint.secret, during);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 25 * 3600_000 });
    await say('after');
    await eventually(() => expect(receiver.received).toHaveLength(2));
    const [, after] = receiver.received;
    if (!after) throw new Error('nothing received');
    verify(rotated.secret, after);
    expect(() => verify(endpoint.secret, after)).toThrow();
  });

  test('shows its secret only where it was made or changed', async () => {
    const endpoint = await newEndpoint('https://example.com/hook');
    expect(await endpointNow(endpoint.id)).not.toHaveProperty('secret');
    expect(JSON.stringify(await ok(hub.call('GET', '/v1.0/webhook_endpoints')))).not.toContain(endpoint.secret);
  });

  test('can be tested, and the test is in its delivery log', async () => {
    const receiver = listen();
    const endpoint = await newEndpoint(receiver.url, { events: ['conversation_created'] });
    const queued = await ok(hub.call('POST', `/v1.0/webhook_endpoints/${endpoint.id}/test`));
    expect(queued).toMatchObject({ status: 'pending', event_type: 'webhook_test' });
    const { body } = await eventually(() => receiver.one('webhook_test'));
    expect(body.data).toEqual({ endpoint_id: endpoint.id });
    await eventually(async () =>
      expect(await ok(hub.call('GET', `/v1.0/webhook_deliveries/${queued.id}`))).toMatchObject({
        status: 'succeeded',
        response_status: 200,
      }),
    );
  });

  test('that was deleted gets nothing more', async () => {
    const receiver = listen();
    const endpoint = await newEndpoint(receiver.url);
    await ok(hub.call('DELETE', `/v1.0/webhook_endpoints/${endpoint.id}`));
    await say('hello');
    await eventually(async () => expect((await ok(hub.call('GET', '/v1.0/events'))).result.length).toBeGreaterThan(0));
    expect(await deliveries()).toEqual([]);
    expect(receiver.received).toEqual([]);
  });
});

describe('the customer’s own webhook_uri', () => {
  test('is no endpoint of the API: it is changed, read and deleted with the customer only', async () => {
    await ok(hub.call('PUT', '/v1.0/customer', { webhook_uri: 'https://example.com/hook' }));
    const path = `/v1.0/webhook_endpoints/${hub.customerId}`;
    expect((await hub.call('GET', path)).status).toBe(404);
    expect((await hub.call('PUT', path, { url: 'https://example.com/else' })).status).toBe(404);
    expect((await hub.call('POST', `${path}/rotate_secret`)).status).toBe(404);
    expect((await hub.call('DELETE', path)).status).toBe(404);
    expect(await ok(hub.call('GET', '/v1.0/customer'))).toMatchObject({ webhook_uri: 'https://example.com/hook' });
  });

  test('can be put back as it was read, and the same secret again is no rotation', async () => {
    const fresh = await ok(hub.call('GET', '/v1.0/customer'));
    const put = ({ name, detail, webhook_method, webhook_uri, webhook_secret }: Json) =>
      ok(hub.call('PUT', '/v1.0/customer', { name, detail, webhook_method, webhook_uri, webhook_secret }));
    await put(fresh);
    const receiver = listen();
    const first = await ok(hub.call('PUT', '/v1.0/customer', { webhook_uri: receiver.url }));
    const second = await ok(hub.call('PUT', '/v1.0/customer', { webhook_secret: 'another-secret-of-theirs' }));
    await put(second);
    await say('hello');
    const webhook = await eventually(() => receiver.one('conversation_created'));
    verify(first.webhook_secret, webhook);
  });

  test('is shown with the customer, its secret to administrators only, and an empty one switches it off', async () => {
    const receiver = listen();
    const customer = await ok(hub.call('PUT', '/v1.0/customer', { webhook_uri: receiver.url, webhook_method: 'PUT' }));
    expect(customer).toMatchObject({
      webhook_uri: receiver.url,
      webhook_method: 'PUT',
      webhook_secret: expect.stringMatching(/^whsec_/),
    });
    await ok(
      hub.call('POST', '/v1.0/agents', { username: `m-${hub.customerId}`, password: 'long enough', permission: 64 }),
    );
    const { token } = await ok(
      hub.call('POST', '/auth/login', { username: `m-${hub.customerId}`, password: 'long enough' }),
    );
    expect(await ok(hub.as(token)('GET', '/v1.0/customer'))).not.toHaveProperty('webhook_secret');
    await say('hello');
    const webhook = await eventually(() => receiver.one('conversation_created'));
    expect(webhook.method).toBe('PUT');
    verify(customer.webhook_secret, webhook);
    expect(await ok(hub.call('PUT', '/v1.0/customer', { webhook_uri: '' }))).toMatchObject({ webhook_uri: '' });
    const before = receiver.received.length;
    await say('again');
    await eventually(async () => expect((await ok(hub.call('GET', '/v1.0/events'))).result.length).toBeGreaterThan(3));
    expect(receiver.received).toHaveLength(before);
  });
});
