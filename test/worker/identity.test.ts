import { exports } from 'cloudflare:workers';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { callWith, newHub, ok, ORIGIN, type Hub, type Json } from '../support/hub.ts';

let hub: Hub;

beforeAll(async () => {
  hub = await newHub();
});

afterEach(() => vi.useRealTimers());

let people = 0;

async function newAgent(permission = 16): Promise<{ id: string; username: string; token: string }> {
  const username = `person-${(people += 1)}-${hub.customerId}`;
  const { id } = await ok(hub.call('POST', '/v1.0/agents', { username, password: 'long enough', permission }));
  return { id, username, token: await login(username, 'long enough') };
}

const login = async (username: string, password: string): Promise<string> =>
  (await ok(callWith(null)('POST', '/auth/login', { username, password }))).token;

const statusOf = async (credential: string, path = '/v1.0/service_agents/agents') =>
  (await hub.as(credential)('GET', path)).status;

describe('a login', () => {
  test('gives a token and an HttpOnly cookie, under both paths', async () => {
    for (const path of ['/auth/login', '/v1.0/auth/login']) {
      const { body, headers } = await callWith(null)('POST', path, { username: hub.username, password: hub.password });
      expect(body).toEqual({ username: hub.username, token: expect.any(String) });
      expect(headers.get('set-cookie')).toMatch(/^token=.*HttpOnly.*SameSite=Strict/);
    }
  });

  test('answers a wrong password and an unknown user alike', async () => {
    const wrong = await callWith(null)('POST', '/auth/login', { username: hub.username, password: 'wrong' });
    const unknown = await callWith(null)('POST', '/auth/login', { username: 'nobody', password: 'wrong' });
    for (const answer of [wrong, unknown])
      expect(answer).toMatchObject({ status: 401, body: { error: { reason: 'INVALID_CREDENTIALS' } } });
    expect(wrong.body.error.message).toBe(unknown.body.error.message);
  });

  test('is closed after ten failures of a user name in a minute, also for the right password, and says for how long', async () => {
    const { username } = await newAgent();
    vi.useFakeTimers({ toFake: ['Date'], now: Math.ceil(Date.now() / 60_000) * 60_000 + 60_000 });
    const wrong = () =>
      callWith(null)('POST', '/auth/login', { username, password: 'wrong' }, { 'cf-connecting-ip': '10.9.8.7' });
    const tries = await Promise.all(Array.from({ length: 15 }, wrong));
    expect(tries.filter(({ status }) => status === 401)).toHaveLength(10);
    const refused = await callWith(null)('POST', '/auth/login', { username, password: 'long enough' });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 });
    await login(username, 'long enough');
  });
});

describe('a credential', () => {
  test('is accepted in every documented place', async () => {
    const { token } = await newAgent(64);
    const get = (query: string, headers: Record<string, string>) =>
      exports.default.fetch(`${ORIGIN}/v1.0/conversations${query}`, { headers });
    for (const credential of [token, hub.accessKey]) {
      for (const [query, headers] of [
        ['', { authorization: `Bearer ${credential}` }],
        [`?token=${credential}`, {}],
        [`?accesskey=${credential}`, {}],
        ['', { cookie: `token=${credential}` }],
      ] as const) {
        expect((await get(query, headers)).status).toBe(200);
      }
    }
  });

  test('of an agent ends with its password, its permission and the agent itself', async () => {
    const [first, second, third] = [await newAgent(), await newAgent(), await newAgent()];
    for (const { token } of [first, second, third]) expect(await statusOf(token)).toBe(200);
    await ok(hub.call('PUT', `/v1.0/agents/${first.id}/password`, { password: 'another one' }));
    await ok(hub.call('PUT', `/v1.0/agents/${second.id}/permission`, { permission: 64 }));
    await ok(hub.call('DELETE', `/v1.0/agents/${third.id}`));
    for (const { token } of [first, second, third]) expect(await statusOf(token)).toBe(401);
    expect(await statusOf(await login(first.username, 'another one'))).toBe(200);
    expect(await statusOf(await login(second.username, 'long enough'), '/v1.0/conversations')).toBe(200);
    expect(
      (await callWith(null)('POST', '/auth/login', { username: third.username, password: 'long enough' })).status,
    ).toBe(401);
  });

  test('that was revoked elsewhere ends within five seconds', async () => {
    const key = await ok(hub.call('POST', '/v1.0/accesskeys', {}));
    expect(await statusOf(key.token)).toBe(200);
    const { env } = await import('cloudflare:workers');
    await env.DB.prepare('UPDATE access_keys SET deleted_at = 1 WHERE id = ?').bind(key.id).run();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 5000 });
    expect(await statusOf(key.token)).toBe(401);
  });

  test('of an access key ends when it is revoked and when it expires', async () => {
    const key = await ok(hub.call('POST', '/v1.0/accesskeys', { name: 'short', expire: 86_400 }));
    expect(key.token).toMatch(/^vb_/);
    expect((await ok(hub.call('POST', '/v1.0/accesskeys', { dialect: 'voicebip' }))).token).toMatch(/^pk_live_/);
    expect(await ok(hub.call('GET', `/v1.0/accesskeys/${key.id}`))).not.toHaveProperty('token');
    const other = await ok(hub.call('POST', '/v1.0/accesskeys', {}));
    await ok(hub.call('DELETE', `/v1.0/accesskeys/${other.id}`));
    expect(await statusOf(other.token)).toBe(401);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 86_401_000 });
    expect(await statusOf(key.token)).toBe(401);
  });
});

describe('permissions', () => {
  test('let an agent see its own conversations only, and send nothing on the managers’ path', async () => {
    const agent = await newAgent();
    const call = hub.as(agent.token);
    expect((await call('GET', '/v1.0/conversations')).status).toBe(403);
    expect((await call('GET', `/v1.0/conversations?owner_id=${hub.adminId}`)).status).toBe(403);
    expect(await ok(call('GET', `/v1.0/conversations?owner_id=${agent.id}`))).toEqual({
      result: [],
      next_page_token: '',
    });
    expect((await call('POST', `/v1.0/conversations/${crypto.randomUUID()}/messages`, { text: 'x' })).status).toBe(403);
    expect((await call('GET', '/v1.0/agents')).status).toBe(403);
    expect((await call('GET', '/v1.0/accesskeys')).status).toBe(403);
    expect(await ok(call('GET', '/v1.0/me'))).toMatchObject({ id: agent.id, permission: 16 });
    expect((await hub.call('GET', '/v1.0/me')).body.error.reason).toBe('AGENT_AUTH_REQUIRED');
  });

  test('let a manager make neither administrators nor access keys', async () => {
    const manager = hub.as((await newAgent(64)).token);
    expect(
      (await manager('POST', '/v1.0/agents', { username: 'x', password: 'long enough', permission: 32 })).status,
    ).toBe(403);
    expect((await manager('PUT', `/v1.0/agents/${hub.adminId}/password`, { password: 'long enough' })).status).toBe(
      403,
    );
    expect((await manager('DELETE', `/v1.0/agents/${hub.adminId}`)).status).toBe(403);
    expect((await manager('PUT', `/v1.0/agents/${hub.adminId}/permission`, { permission: 16 })).status).toBe(403);
    expect((await manager('PUT', `/v1.0/agents/${hub.adminId}`, { name: 'x' })).status).toBe(403);
    expect((await manager('PUT', `/v1.0/agents/${hub.adminId}/status`, { status: 'away' })).status).toBe(403);
    expect((await ok(hub.call('GET', `/v1.0/agents/${hub.adminId}`))).permission).toBe(32);
    expect((await manager('POST', '/v1.0/accesskeys', {})).status).toBe(403);
    expect((await manager('PUT', '/v1.0/customer', { name: 'x' })).status).toBe(403);
  });
});

test('an Idempotency-Key is of the one who used it: nobody gets another’s answer by it', async () => {
  const agent = hub.as((await newAgent()).token);
  const headers = { 'idempotency-key': 'shared-key' };
  const { ticket } = await ok(hub.call('POST', '/v1.0/stream_tickets', undefined, headers));
  const other = await agent('POST', '/v1.0/stream_tickets', undefined, headers);
  expect(other).toMatchObject({ status: 409, body: { error: { reason: 'IDEMPOTENCY_KEY_REUSED' } } });
  expect(JSON.stringify(other.body)).not.toContain(ticket);
});

test('a user name is taken once, and free again after its agent is deleted', async () => {
  const { id, username } = await newAgent();
  const again = () => hub.call('POST', '/v1.0/agents', { username, password: 'long enough' });
  expect(await again()).toMatchObject({
    status: 409,
    body: { error: { reason: 'ALREADY_EXISTS', details: { username: 'is already taken' } } },
  });
  await ok(hub.call('DELETE', `/v1.0/agents/${id}`));
  expect((await again()).status).toBe(200);
});

test('a customer is made only with the bootstrap token', async () => {
  for (const credential of [null, 'wrong', hub.accessKey]) {
    expect((await callWith(credential)('POST', '/v1.0/customers', { name: 'x', username: 'y' })).status).toBe(401);
  }
});

test('secrets are in no row of the database as they are', async () => {
  const { env } = await import('cloudflare:workers');
  await ok(
    hub.call('POST', '/v1.0/conversation_accounts', {
      type: 'line',
      secret: 'channel-secret-text',
      token: 'channel-token-text',
    }),
  );
  const endpoint: Json = await ok(
    hub.call('POST', '/v1.0/webhook_endpoints', { url: 'https://example.com/x' }, { 'idempotency-key': 'sealed' }),
  );
  const key: Json = await ok(hub.call('POST', '/v1.0/accesskeys', {}, { 'idempotency-key': 'sealed-key' }));
  const { results: tables } = await env.DB.prepare(
    `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'`,
  ).all<{ name: string }>();
  const dump = (await Promise.all(tables.map(({ name }) => env.DB.prepare(`SELECT * FROM "${name}"`).all())))
    .map(({ results }) => JSON.stringify(results))
    .join();
  expect(dump).toContain(endpoint.id);
  for (const secret of [
    'channel-secret-text',
    'channel-token-text',
    endpoint.secret,
    key.token,
    hub.accessKey,
    hub.password,
  ]) {
    expect(dump).not.toContain(secret);
  }
});
