import { env } from 'cloudflare:workers';
import { beforeAll, expect, test } from 'vitest';
import { eventually, inbound, newHub, newSandbox, ok, type Hub, type Json } from '../support/hub.ts';

let hub: Hub;
let account: Json;

beforeAll(async () => {
  hub = await newHub();
  account = await newSandbox(hub);
});

let contacts = 0;
const nextContact = (): string => `+1555600${String((contacts += 1)).padStart(4, '0')}`;

const says = async (contact: string, text: string): Promise<string> =>
  (await inbound(hub, account.id, contact, text)).conversation_id;
const search = async (q: string, who = hub): Promise<string[]> => {
  const { result } = await ok(who.call('GET', `/v1.0/conversations?q=${encodeURIComponent(q)}`));
  return result.map(({ id }: Json) => id);
};
const finds = (q: string, ids: string[]): Promise<void> =>
  eventually(async () => expect((await search(q)).toSorted(), q).toEqual(ids.toSorted()));

test('finds conversations by words of their messages, all of them, by their beginnings, in any case and order', async () => {
  const order = await says(nextContact(), 'When will my ORDER #5678 arrive?');
  const other = await says(nextContact(), 'I ordered a café table');
  await finds('arrive', [order]);
  await finds('order 5678', [order]);
  await finds('order', [order, other]);
  await finds('cafe tab', [other]);
  await finds('arrive table', []);
  await ok(hub.call('POST', `/v1.0/conversations/${order}/messages`, { text: 'It left the warehouse' }));
  await finds('warehouse', [order]);
});

test('finds Korean, Japanese and Thai without spaces, by any two characters of a word', async () => {
  const korean = await says(nextContact(), '주문한 배송이 아직 안 왔어요');
  const japanese = await says(nextContact(), '東京タワーへ行きたい');
  await finds('배송', [korean]);
  await finds('배송이', [korean]);
  await finds('왔어', [korean]);
  await finds('타워', []);
  await finds('タワー', [japanese]);
  await finds('行き', [japanese]);
  await finds('東', [japanese]);
});

test('finds by names, tags, addresses and the names of files', async () => {
  const contact = nextContact();
  const id = await says(contact, 'hello');
  await finds(contact, [id]);
  await ok(hub.call('PUT', `/v1.0/conversations/${id}`, { name: 'Order Support Zebra', tags: ['vip-giraffe'] }));
  await finds('zebra giraffe', [id]);
  await ok(hub.call('PUT', `/v1.0/conversations/${id}`, { name: 'Nothing special' }));
  await finds('zebra', []);
  await finds('vip-giraffe', [id]);
  const medias = [{ type: 'application/pdf', url: 'https://example.com/x', filename: 'tracking-okapi.pdf' }];
  await ok(hub.call('POST', `/v1.0/conversations/${id}/messages`, { text: 'see', medias }));
  await finds('okapi', [id]);
});

test('goes with the other filters, page by page', async () => {
  const ids: string[] = [];
  for (const index of [1, 2, 3]) ids.unshift(await says(nextContact(), `pangolin ${index}`));
  await finds('pangolin', ids);
  const first = await ok(hub.call('GET', '/v1.0/conversations?q=pangolin&page_size=2'));
  expect(first.result.map(({ id }: Json) => id)).toEqual(ids.slice(0, 2));
  const rest = await ok(
    hub.call(
      'GET',
      `/v1.0/conversations?q=pangolin&page_size=2&page_token=${encodeURIComponent(first.next_page_token)}`,
    ),
  );
  expect(rest.result.map(({ id }: Json) => id)).toEqual(ids.slice(2));
  await ok(hub.call('PUT', `/v1.0/conversations/${ids[0]}`, { tags: ['rare'] }));
  await eventually(async () => {
    const { result } = await ok(hub.call('GET', '/v1.0/conversations?q=pangolin&tag=rare'));
    expect(result.map(({ id }: Json) => id)).toEqual([ids[0]]);
  });
});

test('forgets what was deleted: no answer, no row and no page of the index has it', async () => {
  const id = await says(nextContact(), 'axolotl');
  const sent = await ok(hub.call('POST', `/v1.0/conversations/${id}/messages`, { text: 'the wombat secret' }));
  await finds('wombat', [id]);
  await ok(hub.call('DELETE', `/v1.0/conversations/${id}/messages/${sent.id}`));
  await finds('wombat', []);
  const blocks = env.DB.prepare(`SELECT count(*) AS n FROM search_data WHERE instr(hex(block), ?1) > 0`);
  const hex = (text: string) => Array.from(text, (c) => c.charCodeAt(0).toString(16).toUpperCase()).join('');
  expect(await blocks.bind(hex('wombat')).first('n')).toBe(0);
  await finds('axolotl', [id]);
  await ok(hub.call('DELETE', `/v1.0/conversations/${id}`));
  await finds('axolotl', []);
});

test('shows nothing of another customer, and an agent only its own', async () => {
  const id = await says(nextContact(), 'narwhal');
  await finds('narwhal', [id]);
  const stranger = await newHub();
  expect(await search('narwhal', stranger)).toEqual([]);
  expect(await search('customer', hub)).toEqual([]);
});

test('of punctuation finds nothing, of syntax what its words say, and of 10 KB is a 400', async () => {
  for (const q of ['"', '* OR', ') (', 'NEAR(a b)', "'; --", 'terms:x', '-x', '^y', '🙂']) await search(q);
  expect(await search('…!')).toEqual([]);
  const answer = await hub.call('GET', `/v1.0/conversations?q=${'x'.repeat(10_000)}`);
  expect(answer).toMatchObject({ status: 400, body: { error: { details: { q: expect.any(String) } } } });
});
