import { runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { HistorySink, type Projected } from '../../src/objects/projection/history-sink.ts';
import { dropConversations } from '../../src/storage/erasures.ts';
import { newErasing, tel, type Erasing } from '../support/erasing.ts';
import { faults, heal } from '../support/faults.ts';
import { eventually, ok, type Json } from '../support/hub.ts';

let shop: Erasing;
const call = (method: string, path: string, body?: unknown) => shop.hub.call(method, `/v1.0/${path}`, body);

beforeAll(async () => {
  shop = await newErasing('+1555750');
});
afterEach(() => heal());

const object = (id: string) => env.CONVERSATION.getByName(id);
const NOWHERE = 'http://127.0.0.1:9/never';
const countOf = async (query: string, ...bindings: unknown[]): Promise<number> => {
  const row = await env.DB.prepare(query)
    .bind(...bindings)
    .first<{ n: number | null }>();
  return row?.n ?? 0;
};
const inLists = (id: string, sequence: number) =>
  eventually(async () => {
    expect(await countOf('SELECT max(sequence) AS n FROM events WHERE source_id = ?', id)).toBe(sequence);
  });
const send = (id: string): Promise<Json> => ok(call('POST', `conversations/${id}/messages`, { text: 'to both' }));

describe('when one of several is erased', () => {
  test('it is a new contact in a conversation of its own when it writes again', async () => {
    const [gone, stays] = [shop.nextTel(), shop.nextTel()];
    const { id } = await shop.group([tel(gone)], stays);
    await shop.says(gone, 'hi');
    await shop.says(stays, 'hi too');
    await shop.erase((await shop.contactOf(gone)).id);
    expect(await shop.says(gone, 'I am back')).not.toBe(id);
    const { participants } = await shop.conversation(id);
    expect(participants.flatMap(({ addresses }: Json) => addresses)).toEqual([tel(stays)]);
  });

  test('what it writes meanwhile is not taken for somebody else’s; brought in again, it is in', async () => {
    const [gone, stays] = [shop.nextTel(), shop.nextTel()];
    const { id } = await shop.group([tel(gone)], stays);
    await shop.says(gone, 'hi');
    const contact = await shop.contactOf(gone);
    await object(id).erase(shop.hub.customerId, [contact.id]);
    const other = await shop.says(gone, 'meanwhile');
    expect(other).not.toBe(id);
    expect((await shop.conversation(id)).participants).toMatchObject([{ target: stays }]);
    await ok(call('PUT', `conversations/${other}`, { ai_mode: 'closed' }));
    await ok(call('POST', `conversations/${id}/participants`, { name: 'Back', addresses: [tel(gone)] }));
    expect(await shop.says(gone, 'I am back')).toBe(id);
  });

  test('webhooks, flows and what the sandbox has sent to the others stay', async () => {
    const [gone, stays] = [shop.nextTel(), shop.nextTel()];
    const endpoint = await ok(call('POST', 'webhook_endpoints', { url: NOWHERE, events: [] }));
    const { id } = await shop.group([tel(gone)], stays);
    await shop.says(gone, 'hi');
    await shop.says(stays, 'of the other one');
    await send(id);
    await env.DB.prepare(RUNNING_FLOW).bind(crypto.randomUUID(), shop.hub.customerId, id).run();
    const kept = async () => ({
      webhooks: await countOf(OWED, id, endpoint.id),
      flows: await countOf('SELECT count(*) AS n FROM activeflows WHERE conversation_id = ?', id),
      texts: await countOf('SELECT count(*) AS n FROM sandbox_messages WHERE recipient = ?', stays),
      positions: await countOf('SELECT sum(position) AS n FROM events WHERE source_id = ?', id),
    });
    await eventually(async () => {
      const { webhooks, texts } = await kept();
      expect(webhooks).toBeGreaterThan(4);
      expect(texts).toBe(1);
    });
    await scheduler.wait(300);
    const before = await kept();
    await shop.erase((await shop.contactOf(gone)).id);
    expect(await kept()).toEqual(before);
  });

  test('what the others say meanwhile is announced', async () => {
    const [gone, stays] = [shop.nextTel(), shop.nextTel()];
    await ok(call('POST', 'webhook_endpoints', { url: NOWHERE, events: ['conversation_message_created'] }));
    const made = await shop.group([tel(gone)], stays);
    await shop.says(gone, 'hi');
    const { id } = await shop.contactOf(gone);
    await object(made.id).erase(shop.hub.customerId, [id]);
    await shop.says(stays, 'while it is under way');
    const { sequence } = await shop.conversation(made.id);
    await inLists(made.id, sequence);
    await dropConversations(env, [made.id]);
    await object(made.id).rebuild();
    await inLists(made.id, sequence);
    const query = 'SELECT count(*) AS n FROM webhook_deliveries WHERE source_id = ? AND sequence >= ?';
    expect(await countOf(query, made.id, sequence)).toBeGreaterThan(0);
  });

  test('and erased twice at once while the others write, the log is dense and the lists have all of it', async () => {
    const [gone, stays] = [shop.nextTel(), shop.nextTel()];
    const made = await shop.group([tel(gone)], stays);
    await shop.says(gone, 'hi');
    const { id } = await shop.contactOf(gone);
    const sent = Array.from({ length: 15 }, (_, index) => `s${index}`);
    const writing = (async () => {
      for (const text of sent) await shop.says(stays, text);
    })();
    const erased = await Promise.all([1, 2].map(() => call('DELETE', `contacts/${id}?erase=true`)));
    await writing;
    expect(erased.map(({ status }) => status).filter((status) => status !== 200 && status !== 404)).toEqual([]);
    expect(await shop.textsOf(made.id)).toEqual(sent);
    const { sequence } = await shop.conversation(made.id);
    await object(made.id).backstop();
    await inLists(made.id, sequence);
    expect(await countOf('SELECT count(*) AS n FROM events WHERE source_id = ?', made.id)).toBe(sequence);
  });

  test('what is under way to it ends, and what is under way to the others goes on', async () => {
    const [gone, stays] = [shop.nextTel(), shop.nextTel()];
    const { id } = await shop.group([tel(gone)], stays);
    await shop.says(gone, 'hi');
    await shop.says(stays, 'hi');
    faults.queueLoses = true;
    await send(id);
    await shop.erase((await shop.contactOf(gone)).id);
    const lanes = await runInDurableObject(object(id), (_, { storage }) =>
      storage.sql
        .exec<{ lane: string }>("SELECT data ->> 'lane' AS lane FROM sends")
        .toArray()
        .map(({ lane }) => lane),
    );
    expect(lanes).toEqual([stays]);
  });
});

const OWED = `SELECT count(*) AS n FROM webhook_deliveries
  WHERE source_id = ? AND endpoint_id = ? AND status <> 'succeeded'`;

const RUNNING_FLOW = `
  INSERT INTO activeflows (id, customer_id, flow_id, flow_name, conversation_id, message_id, fenced, epoch, status, error,
    actions, position, steps, next, variables, executed, due_ms, created_at, updated_at)
  VALUES (?1, ?2, ?1, 'flow', ?3, ?1, 0, 1, 'running', '', '[]', 0, 0, '', '{}', '[]', 9000000000000, 1, 1)`;

test('what was on its way to the lists before a rebuild does not count as the rebuild', async () => {
  let stored = 5;
  let answer: (projected: Projected) => void = () => undefined;
  const first = new Promise<Projected>((resolve) => {
    answer = resolve;
  });
  const asked: number[] = [];
  const sink = new HistorySink(env, {
    head: () => 10,
    storedCursor: () => stored,
    storeCursor: (cursor) => {
      stored = cursor;
    },
    isBehind: (cursor) => cursor < 10,
    project: (cursor) => {
      asked.push(cursor);
      return asked.length === 1 ? first : Promise.resolve({ cursor: 10, due: [] });
    },
  });
  const drained = sink.drain();
  sink.rewind();
  answer({ cursor: 10, due: [] });
  await drained;
  await sink.drain();
  expect(asked).toEqual([5, 0]);
});
