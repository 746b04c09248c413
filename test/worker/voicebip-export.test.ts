import { parse } from 'csv-parse/sync';
import { exports, env } from 'cloudflare:workers';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { eventually, inbound, newHub, newSandbox, ok, ORIGIN, type Hub, type Json } from '../support/hub.ts';
import { readId, writeId } from '../../src/dialects/voicebip/ids.ts';
import { microsOf } from '../../src/domain/time.ts';
import { newestOf } from '../../src/storage/conversations.ts';

const MANY = 100_000;

let hub: Hub;
let accountId: string;
let agentId: string;
let firstId: string;

beforeAll(async () => {
  hub = await newHub();
  const account = await newSandbox(hub);
  accountId = account.id;
  const agent = await ok(hub.call('POST', '/v1/agents', { webhook_url: 'http://127.0.0.1:1/byom' }));
  agentId = agent.agent_id;
  await ok(hub.call('PUT', `/v1.0/conversation_accounts/${account.id}`, { assistant_id: readId('agt', agentId) }));
  firstId = (await inbound(hub, account.id, '+15556000000', 'hello')).conversation_id;
  await eventually(async () => expect((await ok(hub.call('GET', '/v1/conversations'))).conversations).toHaveLength(1));
  await copy(firstId, MANY - 1);
});

/** Rows like the first one, each a second older than the one before: through the API they would take an hour. */
async function copy(id: string, count: number): Promise<void> {
  const columns =
    'customer_id, account_id, type, lifecycle, owner_id, peer_target, sequence, active_at, updated_at, deleted_at';
  await env.DB.prepare(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
     INSERT INTO conversations (id, data, created_at, ${columns})
     SELECT printf('00000000-0000-4000-8000-%012x', i),
       json_set(data, '$.id', printf('00000000-0000-4000-8000-%012x', i), '$.createdAt', created_at - i * 1000000,
         '$.peer.target', printf('+1555%07d', i)),
       created_at - i * 1000000, ${columns}
     FROM conversations, n WHERE id = ?2`,
  )
    .bind(count, id)
    .run();
}

const rename = (id: string, name: string) =>
  env.DB.prepare(`UPDATE conversations SET data = json_set(data, '$.peer.targetName', ?1) WHERE id = ?2`)
    .bind(name, id)
    .run();

const oldest = `00000000-0000-4000-8000-${(MANY - 1).toString(16).padStart(12, '0')}`;

async function open(query: string): Promise<Response> {
  const path = `/v1/agents/${agentId}/conversations/export?${query}`;
  const response = await exports.default.fetch(`${ORIGIN}${path}`, {
    headers: { authorization: `Bearer ${hub.accessKey}` },
  });
  expect(response.status).toBe(200);
  return response;
}

test('a page of an agent’s conversations is read by the index of its accounts, however many there are', async () => {
  const [first, second] = [await newSandbox(hub), await newSandbox(hub)];
  for (const accountIds of [[accountId], [first.id, second.id], [accountId, first.id], []]) {
    const request = { size: 20, cursor: { at: microsOf(Date.now()), id: firstId } };
    const { sql, params } = newestOf(env, hub.customerId, { accountIds, type: 'message' }, request).toSQL();
    const plan = await env.DB.prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .bind(...params)
      .all<{ detail: string }>();
    const steps = plan.results.map(({ detail }) => detail).filter((detail) => / conversations[ _]/.test(detail));
    expect(steps.join('; ')).toContain('INDEX conversations_account (customer_id=? AND account_id=?');
    expect(steps.join('; ')).not.toMatch(/SCAN conversations|conversations_list/);
    const { meta } = await env.DB.prepare(sql)
      .bind(...params)
      .all();
    expect(meta.rows_read).toBeLessThan(200);
  }
});

describe('an export', () => {
  test('of 100,000 conversations is whole, in order, and read from the database only as it is read', async () => {
    const response = await open('format=csv&all=true');
    expect(response.headers.get('content-type')).toContain('text/csv');
    expect(response.headers.get('content-disposition')).toBe('attachment; filename="conversations.csv"');
    const reader = (response.body ?? new ReadableStream<Uint8Array>()).getReader();
    const first = await reader.read();
    // Nobody has read the last page yet: what changes there now is what the file says.
    await rename(oldest, 'changed meanwhile');
    const decoder = new TextDecoder();
    let text = decoder.decode(first.value, { stream: true });
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      text += decoder.decode(read.value, { stream: true });
    }
    const rows: Json[] = parse(text, { columns: true });
    expect(rows).toHaveLength(MANY);
    expect(new Set(rows.map((row) => row.conversation_id)).size).toBe(MANY);
    expect(rows[0]).toMatchObject({
      conversation_id: writeId('conv', firstId),
      agent_id: agentId,
      channel: 'sms',
      from_number: '+15550100000',
      to_number: '+15556000000',
      window_expires_at: '',
      ai_mode: 'ai',
    });
    expect(rows.at(-1)).toMatchObject({ to_number: '+15550099999', contact_name: 'changed meanwhile' });
    const times: string[] = rows.map((row) => row.created_at);
    expect(times.every((time, index) => index === 0 || time <= (times[index - 1] ?? ''))).toBe(true);
  });

  test('of 100,000 takes few of the 1,000 queries that one request may make', async () => {
    const prepare = vi.spyOn(Object.getPrototypeOf(env.DB), 'prepare');
    await (await open('format=json&all=true')).arrayBuffer();
    expect(prepare.mock.calls.length).toBeGreaterThanOrEqual(20);
    expect(prepare.mock.calls.length).toBeLessThan(30);
    prepare.mockRestore();
  });

  test('is the newest 10,000 unless all are asked for, and the same as JSON', async () => {
    const { conversations } = await (await open('format=json')).json<Json>();
    const rows: Json[] = parse(await (await open('format=csv')).text(), { columns: true });
    expect([conversations.length, rows.length]).toEqual([10_000, 10_000]);
    expect(rows.map((row) => row.conversation_id)).toEqual(conversations.map((row: Json) => row.conversation_id));
    expect(conversations[0]).toMatchObject({ window_expires_at: null, opt_out: false });
    expect(Object.keys(rows[0])).toEqual(Object.keys(conversations[0]));
  });

  test('holds no formula, and a name with quotes, commas and lines reads back as it was', async () => {
    const formulas = [
      ['=1+1', "'=1+1"],
      ['+1+1', "'+1+1"],
      ['-2+3', "'-2+3"],
      ['@SUM(A1)', "'@SUM(A1)"],
      ['＝1+1', "'＝1+1"],
      ['\t=1', "'\t'=1"],
      ['\r=1', "'\r'=1"],
      // Where semicolons, bars or tabs part cells, or quotes are not understood, a formula would begin in the middle.
      ['a;=1+1', "a;'=1+1"],
      ['|=1', "|'=1"],
      ['a\t@x', "a\t'@x"],
      ['a\r\n=1;;+1', "a\r\n'=1;;'+1"],
    ] as const;
    const harmless = ['"a", b\r\nc', '+15551234567', '홍길동', 'a=1', 'a;b|c', 'a; -1'];
    const nameIn = async (): Promise<string> => {
      const [row]: Json[] = parse(await (await open('format=csv')).text(), { columns: true });
      return row.contact_name;
    };
    for (const [name, shown] of formulas) {
      await rename(firstId, name);
      expect(await nameIn()).toBe(shown);
    }
    for (const name of harmless) {
      await rename(firstId, name);
      expect(await nameIn()).toBe(name);
    }
  });
});

test('an agent without conversations has a file with none, and what is asked wrongly is 400 or 404', async () => {
  const other = await ok(hub.call('POST', '/v1/agents', { webhook_url: 'http://127.0.0.1:1/byom' }));
  const path = (id: string, query: string) => `/v1/agents/${id}/conversations/export?${query}`;
  expect(await ok(hub.call('GET', path(other.agent_id, 'format=json')))).toEqual({ conversations: [] });
  const empty = await exports.default.fetch(`${ORIGIN}${path(other.agent_id, 'format=csv')}`, {
    headers: { authorization: `Bearer ${hub.accessKey}` },
  });
  expect(parse(await empty.text())).toHaveLength(1);
  const unknown = writeId('agt', crypto.randomUUID());
  for (const [target, status, code] of [
    [path(agentId, 'format=xls'), 400, 'INVALID_ARGUMENT'],
    [path(agentId, 'all=yes'), 400, 'INVALID_ARGUMENT'],
    [path('agt_0', 'format=csv'), 400, 'INVALID_ARGUMENT'],
    [path(unknown, 'format=csv'), 404, 'NOT_FOUND'],
  ] as const) {
    expect(await hub.call('GET', target)).toMatchObject({ status, body: { error_code: code } });
  }
});
