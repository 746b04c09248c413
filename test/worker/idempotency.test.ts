import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, test } from 'vitest';
import { eventually, inbound, newHub, newSandbox, ok, type Hub, type Json } from '../support/hub.ts';
import { listen } from '../support/receiver-worker.ts';
import { readId } from '../../src/dialects/voicebip/ids.ts';

const OURS = '+15550100000';

let hub: Hub;
let account: Json;
let agentId: string;

beforeAll(async () => {
  hub = await newHub();
  account = await newSandbox(hub);
  agentId = (await ok(hub.call('POST', '/v1/agents', { webhook_url: 'https://nobody.example/byom' }))).agent_id;
  await ok(hub.call('PUT', `/v1.0/conversation_accounts/${account.id}`, { assistant_id: readId('agt', agentId) }));
});

let people = 0;
const nextTel = (): string => `+1555640${String((people += 1)).padStart(4, '0')}`;

/** The same request, as often as it is called. */
function keyed(method: string, path: string, body?: unknown) {
  const key = crypto.randomUUID();
  return { key, ask: () => hub.call(method, path, body, { 'idempotency-key': key }) };
}

/** Several at the same moment, which must all succeed and be answered alike. */
async function together(ask: () => ReturnType<Hub['call']>, count = 5): Promise<Json> {
  const answers = await Promise.all(Array.from({ length: count }, () => ok(ask())));
  for (const answer of answers) expect(answer).toEqual(answers[0]);
  return answers[0];
}

const contactOf = (address: string): Promise<Json> =>
  eventually(async () => {
    const { result } = await ok(hub.call('GET', `/v1.0/contacts?address=${encodeURIComponent(address)}`));
    expect(result).toHaveLength(1);
    return result[0];
  });
const sms = (to_number: string, body: string) => ({
  agent_id: agentId,
  channel: 'sms',
  from_number: OURS,
  to_number,
  body,
});
const messagesIn = async (id: string): Promise<Json[]> =>
  (await ok(hub.call('GET', `/v1/conversations/${id}`))).messages;

/** The row as it is when the attempt that runs is of this age: with its work done, and its answer not kept. */
const leaveRunning = (key: string, leaseMs: number) =>
  env.DB.prepare("UPDATE idempotency_keys SET holder = 'another', answer_sealed = '', lease_ms = ? WHERE key = ?")
    .bind(leaseMs, key)
    .run();
const CRASHED = 0;

describe('two requests under one Idempotency-Key at the same moment run once', () => {
  test('a webhook test', async () => {
    const receiver = listen();
    const body = { webhook_url: receiver.url, event_type: 'message.sent' };
    const { ask } = keyed('POST', '/v1/webhooks/test', body);
    await together(ask);
    expect(receiver.received).toHaveLength(1);
  });

  test('a test of an endpoint', async () => {
    const receiver = listen();
    const { id } = await ok(
      hub.call('POST', '/v1.0/webhook_endpoints', { url: receiver.url, events: ['webhook_test'] }),
    );
    const { ask } = keyed('POST', `/v1.0/webhook_endpoints/${id}/test`);
    await together(ask);
    const { result } = await ok(hub.call('GET', `/v1.0/webhook_deliveries?endpoint_id=${id}`));
    expect(result).toHaveLength(1);
  });

  test('a merger, and its undoing', async () => {
    const tels = [nextTel(), nextTel()];
    for (const tel of tels) await inbound(hub, account.id, tel, 'hello');
    const [winner, loser] = await Promise.all(tels.map(contactOf));
    const merged = await together(keyed('POST', `/v1.0/contacts/${winner.id}/merge`, { contact_id: loser.id }).ask);
    const rows = () =>
      env.DB.prepare('SELECT id, undone_at FROM contact_merges WHERE winner_id = ?').bind(winner.id).all();
    expect((await rows()).results).toEqual([{ id: merged.id, undone_at: null }]);
    const undo = keyed('POST', `/v1.0/contact_merges/${merged.id}/undo`);
    expect(await together(undo.ask)).toMatchObject({ id: merged.id, undone: true });
    expect((await rows()).results).toEqual([{ id: merged.id, undone_at: expect.any(Number) }]);
    // What the key stands for is over: a repeat does not undo a merger that was made since.
    const again = await ok(hub.call('POST', `/v1.0/contacts/${winner.id}/merge`, { contact_id: loser.id }));
    expect(await ok(undo.ask())).toMatchObject({ id: merged.id, undone: true });
    expect((await rows()).results).toContainEqual({ id: again.id, undone_at: null });
  });

  test('a new conversation', async () => {
    const tel = nextTel();
    const participants = [{ type: 'tel', target: tel }];
    const made = await together(keyed('POST', '/v1.0/conversations', { participants }).ask);
    const found = await eventually(async () => {
      const { result } = await ok(hub.call('GET', `/v1.0/conversations?peer=${encodeURIComponent(tel)}`));
      expect(result).not.toEqual([]);
      return result;
    });
    expect(found.map(({ id }: Json) => id)).toEqual([made.id]);
  });

  test('a message to a contact', async () => {
    const sent = await together(keyed('POST', '/v1/messages', sms(nextTel(), 'once')).ask);
    expect(await messagesIn(sent.conversation_id)).toHaveLength(1);
  });

  test('what is made in D1', async () => {
    const made = await together(keyed('POST', '/v1.0/flows', { name: 'at once', actions: [{ type: 'stop' }] }).ask);
    const { result } = await ok(hub.call('GET', '/v1.0/flows'));
    expect(result.filter(({ name }: Json) => name === 'at once').map(({ id }: Json) => id)).toEqual([made.id]);
  });
});

describe('a request that crashed before its answer was kept', () => {
  test('is run again, and a webhook test goes out under the same event id', async () => {
    const receiver = listen();
    const { key, ask } = keyed('POST', '/v1/webhooks/test', { webhook_url: receiver.url, event_type: 'message.sent' });
    const first = await ok(ask());
    await leaveRunning(key, CRASHED);
    const second = await ok(ask());
    expect(second.delivery_id).toBe(first.delivery_id);
    const ids = receiver.received.map(({ headers }) => headers.get('x-voicebip-event-id'));
    expect(ids).toEqual([ids[0], ids[0]]);
    expect(await ok(ask())).toEqual(second);
    expect(receiver.received).toHaveLength(2);
  });

  test('sends nothing again: the conversation that it went to is asked first, also when that one is over', async () => {
    const contact = nextTel();
    const { key, ask } = keyed('POST', '/v1/messages', sms(contact, 'once'));
    const first = await ok(ask());
    await ok(hub.call('PATCH', `/v1/conversations/${first.conversation_id}`, { ai_mode: 'closed' }));
    const next = (await inbound(hub, account.id, contact, 'hello again')).conversation_id;
    expect(next).not.toBe(readId('conv', first.conversation_id));
    await leaveRunning(key, CRASHED);
    await together(ask, 3);
    expect(await ok(ask())).toEqual(first);
    expect(await messagesIn(first.conversation_id)).toHaveLength(1);
    expect((await ok(hub.call('GET', `/v1.0/conversations/${next}/messages`))).result).toHaveLength(1);
  });

  test('answers another request under its key with 409', async () => {
    const { key, ask } = keyed('POST', '/v1.0/accesskeys', { name: 'first' });
    await ok(ask());
    await leaveRunning(key, CRASHED);
    const other = await hub.call('POST', '/v1.0/accesskeys', { name: 'second' }, { 'idempotency-key': key });
    expect(other).toMatchObject({ status: 409, body: { error: { reason: 'IDEMPOTENCY_KEY_REUSED' } } });
  });
});

test('while the first request runs on, a repeat is 409 that says when to ask again', async () => {
  const { key, ask } = keyed('POST', '/v1.0/accesskeys', { name: 'slow' });
  await ok(ask());
  await leaveRunning(key, Date.now() + 3_600_000);
  const answer = await ask();
  expect(answer).toMatchObject({ status: 409, body: { error: { reason: 'IDEMPOTENCY_KEY_IN_USE' } } });
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
});

test('a request that was refused leaves its key free', async () => {
  const key = { 'idempotency-key': crypto.randomUUID() };
  const flow = (actions: Json[]) => hub.call('POST', '/v1.0/flows', { actions }, key);
  const stranger = { type: 'assign', option: { owner_id: crypto.randomUUID() } };
  expect(await flow([stranger])).toMatchObject({ status: 400 });
  expect(await flow([{ type: 'stop' }])).toMatchObject({ status: 200 });
});

test('a flow of the largest size is made, and its answer kept', async () => {
  const actions = Array.from({ length: 100 }, (_, index) => ({
    id: `send-${index}`,
    type: 'conversation_send',
    option: { text: 'x'.repeat(9500) },
  }));
  expect(JSON.stringify({ actions }).length).toBeGreaterThan(900_000);
  const { ask } = keyed('POST', '/v1.0/flows', { actions });
  const made = await ok(ask());
  expect(made.actions).toHaveLength(100);
  expect(await ok(ask())).toEqual(made);
});

test('an erasure ends the key of a message that went to the contact', async () => {
  const contact = nextTel();
  const { key, ask } = keyed('POST', '/v1/messages', sms(contact, 'once'));
  await ok(ask());
  const rows = async () =>
    (await env.DB.prepare('SELECT key FROM idempotency_keys WHERE key = ?').bind(key).all()).results;
  expect(await rows()).toHaveLength(1);
  await ok(hub.call('DELETE', `/v1.0/contacts/${(await contactOf(contact)).id}?erase=true`));
  expect(await rows()).toEqual([]);
});
