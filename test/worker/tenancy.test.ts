import { exports } from 'cloudflare:workers';
import { beforeAll, describe, expect, test } from 'vitest';
import { callWith, eventually, inbound, newHub, newSandbox, ok, ORIGIN, type Hub, type Json } from '../support/hub.ts';
import { writeId } from '../../src/dialects/voicebip/ids.ts';

/** What one customer has of every kind, so that another can be sent to all of it. */
interface Belongings {
  hub: Hub;
  agentToken: string;
  ids: Record<string, string>;
}

async function furnish(name: string): Promise<Belongings> {
  const hub = await newHub();
  const account = await newSandbox(hub);
  const username = `${name}-${hub.customerId}`;
  const agent = await ok(hub.call('POST', '/v1.0/agents', { username, password: 'long enough' }));
  const { token } = await ok(hub.call('POST', '/auth/login', { username, password: 'long enough' }));
  const key = await ok(hub.call('POST', '/v1.0/accesskeys', { name }));
  const endpoint = await ok(hub.call('POST', '/v1.0/webhook_endpoints', { url: 'https://example.com/hook' }));
  const first = await inbound(hub, account.id, '+15550003000', `words of ${name}`);
  const delivery = await eventually(async () => {
    const { result } = await ok(hub.call('GET', '/v1.0/webhook_deliveries'));
    expect(result).not.toEqual([]);
    return result[0];
  });
  const asAgent = hub.as(token);
  const talk = await ok(asAgent('POST', '/v1.0/talks', { type: 'channel', name: `talk of ${name}` }));
  const said = await ok(asAgent('POST', `/v1.0/talks/${talk.id}/messages`, { text: `words of ${name}` }));
  const { result: participants } = await ok(asAgent('GET', `/v1.0/talks/${talk.id}/participants`));
  const assistant = await ok(
    hub.call('POST', '/v1.0/assistants', { name: `assistant of ${name}`, webhook_url: 'https://example.com/ask' }),
  );
  const actions = [
    { type: 'sleep', option: { duration: 86_400_000 } },
    { type: 'conversation_send', option: { text: `words of ${name}` } },
  ];
  const flow = await ok(hub.call('POST', '/v1.0/flows', { name: `flow of ${name}`, actions }));
  await ok(hub.call('PUT', `/v1.0/conversation_accounts/${account.id}`, { message_flow_id: flow.id }));
  await inbound(hub, account.id, '+15550003001', `words of ${name}`);
  const activeflow = await eventually(async () => {
    const { result } = await ok(hub.call('GET', '/v1.0/activeflows'));
    expect(result).not.toEqual([]);
    return result[0];
  });
  const contacts = await eventually(async () => {
    const { result } = await ok(hub.call('GET', '/v1.0/contacts'));
    expect(result).toHaveLength(2);
    return result;
  });
  const merged = await ok(hub.call('POST', `/v1.0/contacts/${contacts[0].id}/merge`, { contact_id: contacts[1].id }));
  const ids = {
    contacts: contacts[0].id,
    contact_merges: merged.id,
    assistants: assistant.id,
    flows: flow.id,
    activeflows: activeflow.id,
    talks: talk.id,
    talk_chats: talk.id,
    messages: said.id,
    talk_messages: said.id,
    participant_id: participants[0].id,
    agents: agent.id,
    accesskeys: key.id,
    conversation_accounts: account.id,
    'conversation-accounts': account.id,
    conversations: first.conversation_id,
    message_id: first.message_id,
    webhook_endpoints: endpoint.id,
    webhook_deliveries: delivery.id,
    account_id: account.id,
    medias: (await upload(hub)).id,
  };
  return { hub, agentToken: token, ids };
}

async function upload({ accessKey }: Hub): Promise<Json> {
  const headers = { authorization: `Bearer ${accessKey}`, 'content-type': 'text/plain', 'content-length': '6' };
  const answer = await exports.default.fetch(`${ORIGIN}/v1.0/medias`, { method: 'POST', headers, body: 'theirs' });
  return answer.json();
}

let ours: Belongings;
let theirs: Belongings;
let routes: { method: string; path: string }[];

beforeAll(async () => {
  [ours, theirs] = await Promise.all([furnish('ours'), furnish('theirs')]);
  const document = await ok(callWith(null)('GET', '/openapi.json'));
  routes = Object.entries<Json>(document.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => ({ method: method.toUpperCase(), path })),
  );
});

const foreignVoicebipId = (path: string): string =>
  path.startsWith('/v1/agents')
    ? writeId('agt', theirs.ids['assistants'] ?? '')
    : writeId('conv', theirs.ids['conversations'] ?? '');

/** The path with the other customer's ids; the family in the path says of which kind `{id}` is. */
function withForeignIds(path: string): string {
  if (path.startsWith('/v1/')) return path.replace('{id}', foreignVoicebipId(path));
  const familyAt = path.startsWith('/medias') ? 1 : path.startsWith('/v1.0/service_agents') ? 3 : 2;
  const family = path.split('/').at(familyAt) ?? '';
  return path
    .replace('{id}', theirs.ids[family] ?? 'no-such-family')
    .replace('{customer_id}', theirs.hub.customerId)
    .replace('{message_id}', theirs.ids['message_id'] ?? '')
    .replace('{participant_id}', theirs.ids['participant_id'] ?? '')
    .replace('{emoji}', 'thumbsup')
    .replace('{index}', '0')
    .replace('{account_id}', theirs.ids['account_id'] ?? '');
}

/** A body that passes validation, so that the answer is about the id and not about the body. */
const BODIES: Record<string, Json> = {
  'PATCH /v1/conversations/{id}': { ai_mode: 'human' },
  'POST /v1.0/contacts/{id}/merge': { contact_id: crypto.randomUUID() },
  'PUT /v1.0/agents/{id}': { name: 'x' },
  'PUT /v1.0/agents/{id}/status': { status: 'away' },
  'PUT /v1.0/agents/{id}/permission': { permission: 16 },
  'PUT /v1.0/agents/{id}/password': { password: 'long enough' },
  'PUT /v1.0/accesskeys/{id}': { name: 'x' },
  'PUT /v1.0/conversation_accounts/{id}': { name: 'x' },
  'PUT /v1.0/conversation-accounts/{id}': { name: 'x' },
  'PUT /v1.0/conversations/{id}': { name: 'x' },
  'POST /v1.0/conversations/{id}/messages': { text: 'x' },
  'PUT /v1.0/service_agents/conversations/{id}': { name: 'x' },
  'POST /v1.0/service_agents/conversations/{id}/messages': { text: 'x' },
  ...Object.fromEntries(
    ['/v1.0/talks', '/v1.0/service_agents/talk_chats'].flatMap((base) => [
      [`PUT ${base}/{id}`, { name: 'x' }],
      [`PUT ${base}/{id}/read`, { sequence: 1 }],
      [`POST ${base}/{id}/participants`, { owner_id: crypto.randomUUID() }],
    ]),
  ),
  ...Object.fromEntries(
    ['/v1.0/messages', '/v1.0/service_agents/talk_messages'].flatMap((base) => [
      [`PUT ${base}/{id}`, { text: 'x' }],
      [`POST ${base}/{id}/reactions`, { emoji: 'x' }],
    ]),
  ),
  'POST /v1.0/conversations/{id}/participants': { type: 'tel', target: '+15550009999' },
  'POST /v1.0/talks/{id}/messages': { text: 'x' },
  'PUT /v1.0/assistants/{id}': { name: 'x' },
  'PUT /v1.0/flows/{id}': { name: 'x' },
  'PUT /v1.0/webhook_endpoints/{id}': { name: 'x' },
  'POST /v1.0/webhook_endpoints/{id}/recover': { since: '2020-01-01T00:00:00Z' },
};

/** Hooks and links are signed instead. */
const isOwnersOnly = ({ path }: { path: string }) => path.includes('{') && !/^\/(?:hooks|medias)\//.test(path);

async function request(
  credential: string | null,
  method: string,
  path: string,
  body: Json,
  upgrade = false,
): Promise<{ status: number; text: string }> {
  const response = await exports.default.fetch(`${ORIGIN}${path}`, {
    method,
    headers: {
      ...(credential === null ? {} : { authorization: `Bearer ${credential}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(upgrade ? { upgrade: 'websocket' } : {}),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, text: await response.text() };
}

describe('another customer’s ids', () => {
  test('get only 403 and 404 on every route, for administrators and agents, and tell nothing', async () => {
    const targets = routes.filter(isOwnersOnly);
    expect(targets.length).toBeGreaterThan(25);
    for (const { method, path } of targets) {
      const body = BODIES[`${method} ${path}`];
      for (const credential of [ours.hub.accessKey, ours.agentToken]) {
        const { status, text } = await request(credential, method, withForeignIds(path), body, path.endsWith('/ws'));
        expect([403, 404], `${method} ${path}: ${status} ${text}`).toContain(status);
        expect(text).not.toContain('theirs');
        expect(text).not.toContain(theirs.hub.customerId);
      }
    }
  });

  test('changed nothing there', async () => {
    const conversation = await ok(theirs.hub.call('GET', `/v1.0/conversations/${theirs.ids['conversations']}`));
    expect(conversation).toMatchObject({
      name: 'SMS · +15550003000',
      tm_delete: '9999-01-01 00:00:00.000000',
      // The third event is its own merger.
      sequence: 3,
    });
    expect((await ok(theirs.hub.call('GET', '/v1.0/agents'))).result).toHaveLength(2);
    expect((await ok(theirs.hub.call('GET', `/v1.0/webhook_endpoints/${theirs.ids['webhook_endpoints']}`))).name).toBe(
      '',
    );
  });

  test('give an empty list as a filter, and a 400 that names the field in a body', async () => {
    const { call } = ours.hub;
    for (const query of [`owner_id=${theirs.ids['agents']}`, `account_id=${theirs.ids['account_id']}`]) {
      expect(await ok(call('GET', `/v1.0/conversations?${query}`))).toEqual({ result: [], next_page_token: '' });
    }
    for (const query of [
      `endpoint_id=${theirs.ids['webhook_endpoints']}`,
      `conversation_id=${theirs.ids['conversations']}`,
    ]) {
      expect(await ok(call('GET', `/v1.0/webhook_deliveries?${query}`))).toEqual({ result: [], next_page_token: '' });
    }
    expect(await ok(call('GET', `/v1.0/sandbox/outbox?account_id=${theirs.ids['account_id']}`))).toEqual({
      result: [],
      next_page_token: '',
    });
    const owner = await call('PUT', `/v1.0/conversations/${ours.ids['conversations']}`, {
      owner_id: theirs.ids['agents'],
    });
    expect(owner).toMatchObject({ status: 400, body: { error: { details: { owner_id: expect.any(String) } } } });
    const flowOf = (type: string, option: Json) => ({ actions: [{ type, option }] });
    const bodies: [string, string, Json, string][] = [
      [
        'PUT',
        `/v1.0/conversation_accounts/${ours.ids['account_id']}`,
        { message_flow_id: theirs.ids['flows'] },
        'message_flow_id',
      ],
      [
        'PUT',
        `/v1.0/conversation_accounts/${ours.ids['account_id']}`,
        { assistant_id: theirs.ids['assistants'] },
        'assistant_id',
      ],
      [
        'POST',
        '/v1.0/flows',
        flowOf('assistant_reply', { assistant_id: theirs.ids['assistants'] }),
        'actions.0.option.assistant_id',
      ],
      ['POST', '/v1.0/flows', flowOf('assign', { owner_id: theirs.ids['agents'] }), 'actions.0.option.owner_id'],
    ];
    for (const [method, path, body, field] of bodies) {
      const refused = await call(method, path, body);
      expect(refused, field).toMatchObject({
        status: 400,
        body: { error: { details: { [field]: expect.any(String) } } },
      });
    }
    for (const query of [`flow_id=${theirs.ids['flows']}`, `reference_id=${theirs.ids['conversations']}`]) {
      expect(await ok(call('GET', `/v1.0/activeflows?${query}`))).toEqual({ result: [], next_page_token: '' });
    }
    const sandbox = await call('POST', '/v1.0/sandbox/inbound', {
      account_id: theirs.ids['account_id'],
      from: '+15550003001',
      text: 'x',
    });
    expect(sandbox).toMatchObject({ status: 400, body: { error: { details: { account_id: expect.any(String) } } } });
  });
});

describe('every list and feed', () => {
  test('holds not a byte of another customer', async () => {
    for (const { method, path } of routes.filter(
      (route) => route.method === 'GET' && !route.path.includes('{') && route.path.startsWith('/v1'),
    )) {
      const query = path.endsWith('/outbox') ? `?account_id=${ours.ids['account_id']}` : '';
      const { text } = await request(ours.hub.accessKey, method, `${path}${query}`, undefined);
      expect(text, path).not.toContain(theirs.hub.customerId);
      expect(text, path).not.toContain('theirs');
    }
  });
});

describe('nobody', () => {
  test('gets 401 from every route that is not public', async () => {
    const open = new Set(['/auth/login', '/v1.0/auth/login']);
    // An unknown account is 404 to whoever asks; who may ask a known one: test/worker/chat.test.ts, and each provider's tests.
    const named = /^\/(hooks|chat)\//;
    for (const { method, path } of routes.filter((route) => !named.test(route.path) && !open.has(route.path))) {
      const { status } = await request(null, method, withForeignIds(path), BODIES[`${method} ${path}`]);
      expect(status, `${method} ${path}`).toBe(401);
    }
  });

  test('gets in with a wrong, a cut or an unsigned token', async () => {
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    const [, payload = ''] = ours.agentToken.split('.');
    const bad = [
      'x',
      `${ours.hub.accessKey}x`,
      ours.hub.accessKey.slice(0, -1),
      ours.agentToken.slice(0, -2),
      `${none}.${payload}.`,
      'vb_',
      'pk_live_x',
    ];
    for (const credential of bad) {
      expect(await request(credential, 'GET', '/v1.0/conversations', undefined)).toMatchObject({ status: 401 });
    }
  });
});
