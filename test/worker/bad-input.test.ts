import { exports } from 'cloudflare:workers';
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, test } from 'vitest';
import { callWith, inbound, newHub, newSandbox, ok, ORIGIN, type Hub, type Json } from '../support/hub.ts';
import { newPeople, type Person } from '../support/people.ts';
import { writeId } from '../../src/dialects/voicebip/ids.ts';

let hub: Hub;
let account: Json;
let conversationId: string;
let chat: Json;
let visitorToken: string;
let person: Person;

beforeAll(async () => {
  hub = await newHub();
  account = await newSandbox(hub);
  [person] = (await newPeople(hub, ['Person'])) as [Person];
  conversationId = (await inbound(hub, account.id, '+15550005000', 'hello')).conversation_id;
  const provider_data = { allowed_origins: ['*'] };
  chat = await ok(hub.call('POST', '/v1.0/conversation_accounts', { type: 'chat', provider_data }));
  ({ visitor_token: visitorToken } = await ok(callWith(null)('POST', `/chat/${chat.id}/sessions`, {})));
});

const post = (path: string, body: unknown, headers?: Record<string, string>) => hub.call('POST', path, body, headers);
const raw = (path: string, init: RequestInit) => exports.default.fetch(`${ORIGIN}${path}`, init);
const bearer = () => ({ authorization: `Bearer ${hub.accessKey}` });

/** Talk is for people, and customers are made by nobody's customer. */
function credentialFor(path: string): string {
  if (path.startsWith('/chat/')) return visitorToken;
  if (path === '/v1.0/customers') return 'bootstrap-token-for-tests';
  return /talk|\/messages\/\{id\}/.test(path) ? person.token : hub.accessKey;
}

describe('a body', () => {
  test('that is not JSON is 400 INVALID_JSON_BODY, on every POST, PUT and PATCH', async () => {
    const document = await ok(callWith(null)('GET', '/openapi.json'));
    const writes = Object.entries<Json>(document.paths).flatMap(([path, item]) =>
      ['post', 'put', 'patch']
        .filter((method) => item[method]?.requestBody?.content['application/json'])
        .map((method) => ({ path, method: method.toUpperCase() })),
    );
    expect(writes.length).toBeGreaterThan(10);
    for (const { path, method } of writes) {
      const credential = credentialFor(path);
      const target = path
        .replace('{account_id}', chat.id)
        .replace('{id}', path.startsWith('/v1/') ? writeId('conv', conversationId) : conversationId);
      expect(await callWith(credential)(method, target, '{"text": '), `${method} ${path}`).toMatchObject({
        status: 400,
        body: path.startsWith('/v1/')
          ? { error_code: 'INVALID_ARGUMENT', message: expect.stringContaining('JSON') }
          : { error: { reason: 'INVALID_JSON_BODY' } },
      });
    }
  });

  test('of the wrong types is 400 with every wrong field named', async () => {
    const answer = await post(`/v1.0/conversations/${conversationId}/messages`, {
      text: 5,
      medias: [{ type: 'image/png', url: 'javascript:alert(1)' }, 'x'],
    });
    expect(answer).toMatchObject({
      status: 400,
      body: { error: { status: 'INVALID_ARGUMENT', reason: 'INVALID_ARGUMENT' } },
    });
    expect(Object.keys(answer.body.error.details).toSorted()).toEqual(['medias.0.url', 'medias.1', 'text']);
  });

  test('without a value that must be one of a few says that it is required, and with another one which they are', async () => {
    const patch = `/v1/conversations/${writeId('conv', conversationId)}`;
    for (const body of [{}, { ai_mode: null }]) {
      expect(await hub.call('PATCH', patch, body)).toMatchObject({
        status: 400,
        body: { message: 'ai_mode: is required', details: { ai_mode: 'is required' } },
      });
    }
    const message = {
      agent_id: writeId('agt', crypto.randomUUID()),
      from_number: '+15550100000',
      to_number: '+15550005001',
    };
    for (const body of [message, { ...message, channel: null }]) {
      expect(await post('/v1/messages', body)).toMatchObject({
        status: 400,
        body: { details: { channel: 'is required' } },
      });
    }
    expect(await hub.call('PATCH', patch, { ai_mode: 'asleep' })).toMatchObject({
      status: 400,
      body: { details: { ai_mode: expect.stringContaining('"human"') } },
    });
  });

  test('of null, an array or a text is 400', async () => {
    for (const body of ['null', '[]', '"x"', '1'])
      expect(await post('/v1.0/agents', body)).toMatchObject({ status: 400 });
  });

  test('that is declared as something else is 415, and one larger than 1 MB is 413', async () => {
    const form = await raw('/v1.0/agents', {
      method: 'POST',
      headers: { ...bearer(), 'content-type': 'application/x-www-form-urlencoded' },
      body: 'a=b',
    });
    expect(form.status).toBe(415);
    // The last two are JSON to some, and were taken for bodies without any field.
    const patch = `/v1/conversations/${writeId('conv', conversationId)}`;
    for (const type of ['text/plain', 'application/jsonp', 'application/json-patch', 'application/json;']) {
      const answer = await hub.call('PATCH', patch, { ai_mode: 'human' }, { 'content-type': type });
      expect(answer, type).toMatchObject({ status: 415, body: { error_code: 'UNSUPPORTED_MEDIA_TYPE' } });
    }
    for (const type of ['application/json; charset=utf-8', 'APPLICATION/JSON', 'application/merge-patch+json'])
      expect(await hub.call('PATCH', patch, { ai_mode: 'ai' }, { 'content-type': type })).toMatchObject({
        status: 200,
      });
    expect(await post('/v1.0/agents', { username: 'x'.repeat(1_100_000) })).toMatchObject({
      status: 413,
      body: { error: { reason: 'PAYLOAD_TOO_LARGE' } },
    });
  });

  test('without text and medias, with too long a text, or with too many medias is 400', async () => {
    const path = `/v1.0/conversations/${conversationId}/messages`;
    const medias = Array.from({ length: 11 }, () => ({ type: 'image/png', url: 'https://example.com/x.png' }));
    for (const body of [{}, { text: '' }, { text: 'x'.repeat(1601) }, { text: 'x'.repeat(20_000) }, { medias }]) {
      expect(await post(path, body)).toMatchObject({ status: 400, body: { error: { details: expect.any(Object) } } });
    }
    expect((await ok(hub.call('GET', path))).result).toHaveLength(1);
  });
});

test('a text of more SMS segments than its provider takes is 400, and one that just fits is taken', async () => {
  const pair = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify']);
  if (!('privateKey' in pair)) throw new Error('no key pair');
  const publicKey = btoa(String.fromCharCode(...new Uint8Array(await exported(pair.publicKey))));
  const provider_data = { provider: 'telnyx', number: '+15550100009' };
  const telnyx = await ok(
    post('/v1.0/conversation_accounts', { type: 'sms', secret: publicKey, token: 't', provider_data }),
  );
  const payload = {
    id: 'in-1',
    from: { phone_number: '+15550005009' },
    to: [{ phone_number: '+15550100009' }],
    text: 'hello',
    media: [],
  };
  const body = JSON.stringify({
    data: { event_type: 'message.received', id: 'e-1', occurred_at: new Date().toISOString(), payload },
  });
  const timestamp = String(Math.floor(Date.now() / 1000));
  const signed = await crypto.subtle.sign('Ed25519', pair.privateKey, new TextEncoder().encode(`${timestamp}|${body}`));
  const signature = btoa(String.fromCharCode(...new Uint8Array(signed)));
  const headers = {
    'telnyx-signature-ed25519': signature,
    'telnyx-timestamp': timestamp,
    'content-type': 'application/json',
  };
  expect((await raw(`/hooks/${telnyx.id}`, { method: 'POST', headers, body })).status).toBe(200);
  const { result } = await ok(hub.call('GET', `/v1.0/conversations?account_id=${telnyx.id}`));
  const path = `/v1.0/conversations/${result[0].id}/messages`;
  expect(await post(path, { text: '가'.repeat(671) })).toMatchObject({
    status: 400,
    body: { error: { details: { text: expect.stringContaining('11 SMS segments') } } },
  });
  expect((await ok(post(path, { text: '가'.repeat(670) }))).deliveries[0].segments).toEqual({
    encoding: 'UCS-2',
    count: 10,
  });
});

const exported = async (key: CryptoKey): Promise<ArrayBuffer> => {
  const bytes = await crypto.subtle.exportKey('raw', key);
  if (!(bytes instanceof ArrayBuffer)) throw new Error('not raw');
  return bytes;
};

describe('a header', () => {
  test('that makes no sense is 400', async () => {
    const path = `/v1.0/conversations/${conversationId}/messages`;
    expect(await post(path, { text: 'x' }, { 'if-match': 'yesterday' })).toMatchObject({ status: 400 });
    expect(await post(path, { text: 'x' }, { 'idempotency-key': 'k'.repeat(300) })).toMatchObject({ status: 400 });
  });
});

test('half a surrogate pair is replaced before it is stored, so that everybody sees the same text', async () => {
  const sent = await ok(hub.call('POST', `/v1.0/conversations/${conversationId}/messages`, '{"text":"a\\ud800b"}'));
  expect(sent.text).toBe('a\ufffdb');
  await ok(hub.call('DELETE', `/v1.0/conversations/${conversationId}/messages/${sent.id}`));
});

test('a field that is missing, or of another type, is said so in plain words', async () => {
  const { body } = await hub.call('POST', '/v1.0/agents', { password: 5 });
  expect(body.error.details).toEqual({ username: 'is required', password: 'must be a string, not a number' });
});

describe('an id', () => {
  test('that is malformed is 400 INVALID_ID, one that nothing has is 404, and asking leaves no trace', async () => {
    for (const family of ['conversations', 'agents', 'accesskeys', 'conversation_accounts', 'webhook_endpoints']) {
      expect(await hub.call('GET', `/v1.0/${family}/not-a-uuid`)).toMatchObject({
        status: 400,
        body: { error: { reason: 'INVALID_ID' } },
      });
      expect(await hub.call('GET', `/v1.0/${family}/${crypto.randomUUID()}`)).toMatchObject({ status: 404 });
    }
    expect((await hub.call('GET', '/v1.0/webhook_deliveries/nonsense')).status).toBe(400);
    expect(
      (await hub.call('GET', `/v1.0/conversations/${conversationId}/messages/${crypto.randomUUID()}`)).body.error
        .reason,
    ).toBe('CONVERSATION_MESSAGE_NOT_FOUND');
  });

  test('is the same in capitals', async () => {
    expect((await ok(hub.call('GET', `/v1.0/conversations/${conversationId.toUpperCase()}`))).id).toBe(conversationId);
  });

  test('is found in neither an unknown route nor a wrong method', async () => {
    for (const [method, path] of [
      ['PATCH', `/v1.0/conversations/${conversationId}`],
      ['GET', '/v1.0/nothing'],
      ['POST', '/healthz'],
    ] as const) {
      expect(await hub.call(method, path)).toMatchObject({
        status: 404,
        body: { error: { reason: 'ROUTE_NOT_FOUND' } },
      });
    }
  });
});

describe('a list', () => {
  test('with a nonsense page token, size or filter is 400; a size out of range means 100', async () => {
    for (const query of [
      'page_token=zzz',
      'page_token=2022-06-17,xx',
      'page_size=ten',
      'page_size=1.5',
      'state=asleep',
      'owner_id=me',
      'account_id=1',
    ]) {
      expect(await hub.call('GET', `/v1.0/conversations?${query}`), query).toMatchObject({
        status: 400,
        body: { error: { details: expect.any(Object) } },
      });
    }
    for (const query of ['page_size=0', 'page_size=-5', 'page_size=1000', 'page_token=']) {
      expect((await ok(hub.call('GET', `/v1.0/conversations?account_id=${account.id}&${query}`))).result).toHaveLength(
        1,
      );
    }
    expect((await hub.call('GET', '/v1.0/events?after=x')).status).toBe(400);
  });
});

describe('a channel account', () => {
  const make = (body: Json) => post('/v1.0/conversation_accounts', body);

  test('that is incomplete or of no known kind is 400 with the field named', async () => {
    const cases: [Json, string][] = [
      [{ type: 'pigeon' }, 'type'],
      [{ type: 'sms' }, 'type'],
      [{ type: 'sms', provider_data: { provider: 'nobody', number: '+15550100000' } }, 'type'],
      [{ type: 'line', token: 'x' }, 'secret'],
      [{ type: 'line', secret: 'x' }, 'token'],
      [{ type: 'sms', provider_data: { provider: 'sandbox', number: 'abc@' } }, 'provider_data.number'],
      [
        { type: 'sms', token: 't', provider_data: { provider: 'twilio', number: '+15550100000' } },
        'provider_data.account_sid',
      ],
      [
        { type: 'sms', token: 't', secret: 'not-a-key', provider_data: { provider: 'telnyx', number: '+15550100000' } },
        'secret',
      ],
    ];
    for (const [body, field] of cases) {
      const answer = await make(body);
      expect(answer, JSON.stringify(body)).toMatchObject({ status: 400 });
      expect(Object.keys(answer.body.error.details)).toContain(field);
    }
  });

  test('never shows its secrets, keeps them over a change of its name, and is gone when it is deleted', async () => {
    const made = await ok(
      make({ type: 'line', name: 'LINE', secret: 'the-channel-secret', token: 'the-channel-token' }),
    );
    const changed = await ok(hub.call('PUT', `/v1.0/conversation_accounts/${made.id}`, { name: 'renamed' }));
    const listed = await ok(hub.call('GET', '/v1.0/conversation_accounts'));
    const deleted = await ok(hub.call('DELETE', `/v1.0/conversation_accounts/${made.id}`));
    for (const shown of [made, changed, listed, deleted]) {
      expect(JSON.stringify(shown)).not.toContain('the-channel');
    }
    expect(changed).toMatchObject({ name: 'renamed', type: 'line' });
    expect((await hub.call('GET', `/v1.0/conversation_accounts/${made.id}`)).status).toBe(404);
    expect((await raw(`/hooks/${made.id}`, { method: 'POST', body: '{"events":[]}' })).status).toBe(404);
  });
});

describe('a provider hook', () => {
  test('for an unknown or malformed account is 404, without a signature 401, and stores nothing', async () => {
    const line = await ok(post('/v1.0/conversation_accounts', { type: 'line', secret: 's3cret', token: 't' }));
    const body = JSON.stringify({
      destination: 'x',
      events: [
        {
          type: 'message',
          message: { type: 'text', id: '1', text: 'forged' },
          source: { type: 'user', userId: `U${'0'.repeat(32)}` },
          timestamp: 1,
          webhookEventId: 'e',
          mode: 'active',
        },
      ],
    });
    const count = async () =>
      (await env.DB.prepare('SELECT count(*) AS n FROM conversations').first<{ n: number }>())?.n;
    const before = await count();
    expect((await raw(`/hooks/${crypto.randomUUID()}`, { method: 'POST', body })).status).toBe(404);
    expect((await raw('/hooks/nonsense', { method: 'POST', body })).status).toBe(404);
    for (const id of [line.id, account.id]) {
      expect((await raw(`/hooks/${id}`, { method: 'POST', body })).status).toBe(401);
      expect(
        (await raw(`/hooks/${id}`, { method: 'POST', body, headers: { 'x-line-signature': 'AAAA' } })).status,
      ).toBe(401);
    }
    expect((await raw(`/hooks/${line.id}`, { method: 'POST', body: 'x'.repeat(5_000_000) })).status).toBe(413);
    expect(await count()).toBe(before);
  });
});

describe('a webhook target', () => {
  test('that is no http(s) URL or holds a password is 400, with the field named', async () => {
    for (const url of ['', 'nonsense', 'ftp://example.com', 'https://user:pw@example.com/x', 'javascript:alert(1)']) {
      expect(await post('/v1.0/webhook_endpoints', { url }), url).toMatchObject({
        status: 400,
        body: { error: { details: { url: expect.any(String) } } },
      });
    }
    expect(await hub.call('PUT', '/v1.0/customer', { webhook_uri: 'nonsense' })).toMatchObject({
      status: 400,
      body: { error: { details: { webhook_uri: expect.any(String) } } },
    });
    expect(
      await post('/v1.0/webhook_endpoints', { url: 'https://example.com', events: ['conversation_exploded'] }),
    ).toMatchObject({ status: 400 });
  });
});

describe('the sandbox', () => {
  test('takes only its own accounts and known faults', async () => {
    const line = await ok(post('/v1.0/conversation_accounts', { type: 'line', secret: 's', token: 't' }));
    expect(await post('/v1.0/sandbox/inbound', { account_id: line.id, from: '+15550005001', text: 'x' })).toMatchObject(
      { status: 400 },
    );
    expect(await post('/v1.0/sandbox/inbound', { account_id: account.id, from: '', text: 'x' })).toMatchObject({
      status: 400,
    });
    expect(await post('/v1.0/sandbox/faults', { account_id: account.id, count: 1, kind: 'earthquake' })).toMatchObject({
      status: 400,
    });
  });
});

test('every answer has a request id: the client’s where it is harmless', async () => {
  const own = await hub.call('GET', '/v1.0/nothing', undefined, { 'x-request-id': 'my-id_1' });
  expect([own.headers.get('x-request-id'), own.body.error.request_id]).toEqual(['my-id_1', 'my-id_1']);
  const forged = await hub.call('GET', '/v1.0/nothing', undefined, { 'x-request-id': 'a b<script>' });
  expect(forged.headers.get('x-request-id')).toMatch(/^req_[0-9a-f]{32}$/);
});

describe('a filter with fixed values', () => {
  test.each([
    ['/v1.0/conversations', 'type', 'pigeon', ['message', 'line', 'whatsapp', 'messenger', 'email', 'chat']],
    [
      '/v1.0/service_agents/conversations',
      'type',
      'pigeon',
      ['message', 'line', 'whatsapp', 'messenger', 'email', 'chat'],
    ],
    ['/v1.0/conversations', 'state', 'asleep', ['active', 'idle', 'closed']],
    ['/v1.0/conversations', 'archived', 'maybe', ['true', 'false']],
    ['/v1.0/webhook_deliveries', 'status', 'lost', ['pending', 'succeeded', 'failed']],
    ['/v1.0/webhook_deliveries', 'event_type', 'conversation_exploded', ['conversation_created', 'message.received']],
    ['/v1.0/activeflows', 'status', 'paused', ['running', 'ended', 'stopped', 'failed']],
    ['/v1/conversations', 'channel', 'pigeon', ['sms', 'whatsapp', 'messenger', 'line']],
    [`/v1/agents/${writeId('agt', crypto.randomUUID())}/conversations/export`, 'format', 'pdf', ['csv', 'json']],
  ])('%s?%s=%s is 400 and names the allowed ones', async (path, filter, value, allowed) => {
    const { status, body } = await hub.call('GET', `${path}?${filter}=${value}`);
    expect(status).toBe(400);
    const problem: string = (body.error ?? body).details[filter];
    for (const each of allowed) expect(problem).toContain(`"${each}"`);
    expect(problem).not.toContain(value);
  });

  test('takes each of its values', async () => {
    for (const type of ['message', 'line', 'whatsapp', 'messenger', 'email', 'chat'])
      await ok(hub.call('GET', `/v1.0/conversations?type=${type}`));
    for (const name of ['conversation_message_created', 'message.received', 'webhook_test'])
      await ok(hub.call('GET', `/v1.0/webhook_deliveries?event_type=${name}`));
  });
});

describe('a value that must be one of a few', () => {
  test.each([
    ['/v1.0/webhook_endpoints', { url: 'https://example.com', dialect: 'pidgin' }, 'dialect', ['voipbin', 'voicebip']],
    ['/v1.0/webhook_endpoints', { url: 'https://example.com', events: ['bang'] }, 'events.0', ['conversation_created']],
    ['/v1.0/accesskeys', { dialect: 'pidgin' }, 'dialect', ['voipbin', 'voicebip']],
    ['/v1.0/flows', { actions: [{ type: 'dance' }] }, 'actions.0.type', ['conversation_send', 'branch', 'stop']],
  ])('%s %j names the allowed ones', async (path, body, field, allowed) => {
    const answer = await post(path, body);
    expect(answer.status).toBe(400);
    for (const each of allowed) expect(answer.body.error.details[field]).toContain(`"${each}"`);
  });
});

describe('a branch', () => {
  const branch = (variable: string) => ({
    actions: [
      { type: 'branch', option: { variable, equals: 'x', goto: 'end' } },
      { id: 'end', type: 'stop' },
    ],
  });

  test('on a variable that no flow has is 400 when it is saved, with the field and the variables named', async () => {
    const flow = await ok(post('/v1.0/flows', branch('voipbin.conversation_message.text')));
    for (const variable of ['voipbin.conversation.mood', 'x', '${voipbin.conversation.id}', 'toString']) {
      for (const answer of [
        await post('/v1.0/flows', branch(variable)),
        await hub.call('PUT', `/v1.0/flows/${flow.id}`, branch(variable)),
      ]) {
        expect(answer.status, variable).toBe(400);
        expect(answer.body.error.details).toEqual({
          'actions.0.option.variable': expect.stringContaining('voipbin.conversation_message.text'),
        });
      }
    }
  });
});

test('bounds are said in plain words', async () => {
  const flow = { name: 'x'.repeat(256), actions: [{ type: 'sleep', option: { duration: 0, tempo: 1 } }] };
  const { body } = await post('/v1.0/flows', flow);
  expect(body.error.details).toEqual({
    name: 'must have at most 255 characters',
    'actions.0.option.duration': 'must be at least 1',
    'actions.0.option': 'has unknown fields: tempo',
  });
});
