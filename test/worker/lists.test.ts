import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, test } from 'vitest';
import { eventually, inbound, newHub, newSandbox, ok, type Hub, type Json } from '../support/hub.ts';

let hub: Hub;
let account: Json;
let ids: string[];

const COUNT = 12;
const contact = (index: number) => `+155500060${String(index).padStart(2, '0')}`;

beforeAll(async () => {
  hub = await newHub();
  account = await newSandbox(hub);
  ids = [];
  for (let index = 0; index < COUNT; index += 1)
    ids.unshift((await inbound(hub, account.id, contact(index), 'hello')).conversation_id);
  await eventually(async () => expect((await list('')).result).toHaveLength(COUNT));
});

const list = (query: string): Promise<Json> => ok(hub.call('GET', `/v1.0/conversations?${query}`));

/** All pages, following the tokens; `shape` may rewrite a token, as clients do. */
async function walk(path: string, size: number, shape = (token: string) => token): Promise<string[]> {
  const found: string[] = [];
  let token = '';
  do {
    const page = await ok(
      hub.call(
        'GET',
        `${path}${path.includes('?') ? '&' : '?'}page_size=${size}&page_token=${encodeURIComponent(shape(token))}`,
      ),
    );
    expect(page.result.length).toBeLessThanOrEqual(size);
    found.push(...page.result.map((row: Json) => row.id));
    token = page.next_page_token;
  } while (token !== '');
  return found;
}

const isoForm = (token: string) => (token === '' ? '' : token.replace(/^(\S+) ([^,]+)/, '$1T$2Z'));

describe('the list of conversations', () => {
  test('is newest first, page by page, with either form of the token', async () => {
    for (const size of [1, 5, 12, 100]) {
      expect(await walk('/v1.0/conversations', size)).toEqual(ids);
      expect(await walk('/v1.0/conversations', size, isoForm)).toEqual(ids);
    }
  });

  test('has a token that is the last row’s tm_create', async () => {
    const page = await list('page_size=3');
    expect(page.next_page_token).toBe(page.result[2].tm_create);
  });

  test('skips and repeats nothing when rows tie across the page border', async () => {
    const tied = await newHub();
    const own = await newSandbox(tied);
    const all: string[] = [];
    for (let index = 0; index < 7; index += 1)
      all.push((await inbound(tied, own.id, contact(index), 'x')).conversation_id);
    await eventually(async () => expect((await ok(tied.call('GET', '/v1.0/conversations'))).result).toHaveLength(7));
    await env.DB.prepare('UPDATE conversations SET created_at = 1655960740950834 WHERE customer_id = ?')
      .bind(tied.customerId)
      .run();
    const found: string[] = [];
    let token = '';
    do {
      const page = await ok(
        tied.call('GET', `/v1.0/conversations?page_size=2&page_token=${encodeURIComponent(token)}`),
      );
      found.push(...page.result.map((row: Json) => row.id));
      token = page.next_page_token;
      if (token !== '') expect(token).toMatch(/^2022-06-23 05:05:40\.950834,[0-9a-f-]{36}$/);
    } while (token !== '');
    expect(found.toSorted()).toEqual(all.toSorted());
    expect(new Set(found).size).toBe(7);
  });

  test('filters by owner, type, state, tag, account and peer, alone and together', async () => {
    const [first = '', second = '', third = ''] = ids;
    const username = `filter-${hub.customerId}`;
    const agent = await ok(hub.call('POST', '/v1.0/agents', { username, password: 'long enough' }));
    await ok(hub.call('PUT', `/v1.0/conversations/${first}`, { owner_id: agent.id, tags: ['vip', 'late'] }));
    await ok(hub.call('PUT', `/v1.0/conversations/${second}`, { tags: ['vip'], archived: true }));
    await ok(hub.call('PUT', `/v1.0/conversations/${third}`, { ai_mode: 'closed' }));
    const expectations: [string, string[]][] = [
      [`owner_id=${agent.id}`, [first]],
      ['tag=vip', [first, second]],
      ['tag=late', [first]],
      ['tag=vi', []],
      ['archived=true', [second]],
      ['archived=false&tag=vip', [first]],
      ['state=closed', [third]],
      ['type=line', []],
      ['type=message&tag=vip', [first, second]],
      [`peer=${encodeURIComponent(contact(0))}`, [ids.at(-1) ?? '']],
      [`account_id=${crypto.randomUUID()}`, []],
      [`owner_id=${agent.id}&state=closed`, []],
    ];
    await eventually(async () => {
      for (const [query, wanted] of expectations) {
        expect(
          (await list(query)).result.map((row: Json) => row.id),
          query,
        ).toEqual(wanted);
      }
      expect((await list(`account_id=${account.id}&state=active`)).result).toHaveLength(COUNT - 1);
    });
  });
});

describe('the list of messages', () => {
  test('is newest first, page by page, and read at once after a write', async () => {
    const id = ids[0] ?? '';
    const sent: string[] = [];
    for (let index = 0; index < 9; index += 1) {
      const message = await ok(hub.call('POST', `/v1.0/conversations/${id}/messages`, { text: `m${index}` }));
      sent.unshift(message.id);
      const newest = await ok(hub.call('GET', `/v1.0/conversations/${id}/messages?page_size=1`));
      expect(newest.result[0].id).toBe(message.id);
    }
    for (const size of [1, 4, 100])
      expect((await walk(`/v1.0/conversations/${id}/messages`, size)).slice(0, 9)).toEqual(sent);
    expect((await walk(`/v1.0/conversations/${id}/messages`, 3, isoForm)).slice(0, 9)).toEqual(sent);
  });

  test('leaves out a deleted one, and finding it is 404', async () => {
    const id = ids[1] ?? '';
    const message = await ok(hub.call('POST', `/v1.0/conversations/${id}/messages`, { text: 'oops' }));
    const deleted = await ok(hub.call('DELETE', `/v1.0/conversations/${id}/messages/${message.id}`));
    expect(deleted).toMatchObject({ id: message.id, text: '', medias: [] });
    expect(deleted.tm_delete).not.toBe('9999-01-01 00:00:00.000000');
    expect(JSON.stringify(await ok(hub.call('GET', `/v1.0/conversations/${id}/messages`)))).not.toContain('oops');
    expect((await hub.call('GET', `/v1.0/conversations/${id}/messages/${message.id}`)).status).toBe(404);
    expect((await hub.call('DELETE', `/v1.0/conversations/${id}/messages/${message.id}`)).status).toBe(404);
  });
});

describe('other lists', () => {
  test('page in the same way', async () => {
    for (let index = 0; index < 5; index += 1) await ok(hub.call('POST', '/v1.0/accesskeys', { name: `k${index}` }));
    const keys = (await ok(hub.call('GET', '/v1.0/accesskeys'))).result.map((row: Json) => row.id);
    expect(await walk('/v1.0/accesskeys', 2)).toEqual(keys);
    const deliveries = (await ok(hub.call('GET', '/v1.0/webhook_deliveries'))).result;
    expect(deliveries).toEqual([]);
    const accounts = await ok(hub.call('GET', '/v1.0/conversation_accounts?page_size=1'));
    expect(accounts.next_page_token).toBe('');
  });
});
