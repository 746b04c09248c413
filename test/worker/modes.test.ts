import { evictDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, test } from 'vitest';
import { eventually, inbound, newHub, newSandbox, ok, type Hub, type Json } from '../support/hub.ts';
import { newPeople, type Person } from '../support/people.ts';

const NIL = '00000000-0000-0000-0000-000000000000';

let hub: Hub;
let account: Json;
let owner: Person;
let manager: Person;

beforeAll(async () => {
  hub = await newHub();
  account = await newSandbox(hub);
  [owner] = (await newPeople(hub, ['Olive'])) as [Person];
  [manager] = (await newPeople(hub, ['Mara'], 64)) as [Person];
});

let contacts = 0;
const nextContact = (): string => `+15557000${String((contacts += 1)).padStart(3, '0')}`;
const newConversation = async (): Promise<string> =>
  (await inbound(hub, account.id, nextContact(), 'hello')).conversation_id;

const put = (id: string, body: Json): Promise<Json> => ok(hub.call('PUT', `/v1.0/conversations/${id}`, body));
const read = (id: string): Promise<Json> => ok(hub.call('GET', `/v1.0/conversations/${id}`));
const historyOf = async (id: string, kind = 'mode'): Promise<Json[]> =>
  (await ok(hub.call('GET', `/v1.0/conversations/${id}/${kind}_history`))).result;

describe('the mode history', () => {
  test('tells who changed the mode, from what to what, and when; also after an eviction', async () => {
    const id = await newConversation();
    await ok(manager.call('PUT', `/v1.0/conversations/${id}`, { ai_mode: 'human' }));
    await put(id, { ai_mode: 'ai' });
    await ok(manager.call('PUT', `/v1.0/conversations/${id}`, { owner_id: owner.id }));
    await ok(owner.call('POST', `/v1.0/service_agents/conversations/${id}/unassign`));
    await put(id, { ai_mode: 'closed' });
    await evictDurableObject(env.CONVERSATION.getByName(id));

    const history = await historyOf(id);
    expect(history.map(({ from_mode, to_mode, actor }: Json) => [from_mode, to_mode, actor.type, actor.id])).toEqual([
      ['ai', 'closed', 'accesskey', expect.any(String)],
      ['human', 'ai', 'agent', owner.id],
      ['ai', 'human', 'agent', manager.id],
      ['human', 'ai', 'accesskey', expect.any(String)],
      ['ai', 'human', 'agent', manager.id],
    ]);
    expect(history.every(({ tm_create }: Json) => /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/.test(tm_create))).toBe(
      true,
    );

    const assignments = await historyOf(id, 'assignment');
    expect(assignments).toMatchObject([
      { from_owner_id: owner.id, to_owner_id: NIL, actor: { type: 'agent', id: owner.id } },
      { from_owner_id: NIL, to_owner_id: owner.id, actor: { type: 'agent', id: manager.id } },
    ]);
    const first = await ok(hub.call('GET', `/v1.0/conversations/${id}/mode_history?page_size=3`));
    const path = `/v1.0/conversations/${id}/mode_history?page_size=3&page_token=${encodeURIComponent(first.next_page_token)}`;
    expect([...first.result, ...(await ok(hub.call('GET', path))).result]).toEqual(history);
  });

  test('has no row, and the log no event, for the same mode again', async () => {
    const id = await newConversation();
    await put(id, { ai_mode: 'human' });
    const before = await read(id);
    expect(await put(id, { ai_mode: 'human' })).toEqual(before);
    expect(await historyOf(id)).toHaveLength(1);
  });

  test('stands in the timeline between the messages, and in the live frames', async () => {
    const id = await newConversation();
    await put(id, { owner_id: owner.id });
    await ok(owner.call('POST', `/v1.0/service_agents/conversations/${id}/messages`, { text: 'hi' }));
    const { result } = await ok(hub.call('GET', `/v1.0/conversations/${id}/timeline`));
    expect(result.map((entry: Json) => [entry.type, entry.data.text ?? entry.data.to_owner_id])).toEqual([
      ['message', 'hi'],
      ['system', owner.id],
      ['message', 'hello'],
    ]);
    const pages: Json[] = [];
    for (let token = ''; ;) {
      const path = `/v1.0/conversations/${id}/timeline?page_size=1&page_token=${token}`;
      const page = await ok(hub.call('GET', path));
      pages.push(...page.result);
      token = page.next_page_token;
      if (token === '') break;
    }
    expect(pages).toEqual(result);
    const events = await ok(hub.call('GET', '/v1.0/events?after=0&page_size=100'));
    const assigned = events.result.find((each: Json) => each.data.id === id && each.change?.to_owner_id === owner.id);
    expect(assigned).toMatchObject({ type: 'conversation_updated', change: { from_mode: 'ai', to_mode: 'human' } });
  });
});

describe('a takeover', () => {
  const send = (id: string, body: Json) => ok(hub.call('POST', `/v1.0/conversations/${id}/messages`, body));

  test('is a person’s reply on any path, and an access key’s that says so; the software’s own send is none', async () => {
    const byKey = await newConversation();
    await send(byKey, { text: 'from software' });
    expect(await read(byKey)).toMatchObject({ ai_mode: 'ai', mode_epoch: 0 });
    await send(byKey, { text: 'from a person behind it', takeover: true });
    expect(await read(byKey)).toMatchObject({ ai_mode: 'human', mode_epoch: 1, owner_id: NIL });
    expect(await historyOf(byKey)).toMatchObject([{ reason: 'reply', actor: { type: 'accesskey' } }]);

    const byManager = await newConversation();
    await ok(manager.call('POST', `/v1.0/conversations/${byManager}/messages`, { text: 'hi' }));
    expect(await read(byManager)).toMatchObject({ ai_mode: 'human' });

    const owned = await newConversation();
    await put(owned, { owner_id: owner.id });
    await put(owned, { ai_mode: 'ai' });
    await ok(owner.call('POST', `/v1.0/service_agents/conversations/${owned}/messages`, { text: 'hi' }));
    expect(await read(owned)).toMatchObject({ ai_mode: 'human', owner_id: owner.id });
  });

  test('is an echo from the business’s own device, which is in the history as sent', async () => {
    const contact = nextContact();
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'hello');
    const echo = { account_id: account.id, from: contact, text: 'I am on it', echo: true };
    const key = { 'idempotency-key': crypto.randomUUID() };
    const landed = await ok(hub.call('POST', '/v1.0/sandbox/inbound', echo, key));
    expect(landed.conversation_id).toBe(id);
    expect(await ok(hub.call('POST', '/v1.0/sandbox/inbound', echo, key))).toEqual(landed);
    const { result } = await ok(hub.call('GET', `/v1.0/conversations/${id}/messages`));
    expect(result[0]).toMatchObject({
      id: landed.message_id,
      direction: 'outgoing',
      status: 'done',
      text: 'I am on it',
      sender: { type: 'device' },
    });
    expect(result).toHaveLength(2);
    expect(await read(id)).toMatchObject({ ai_mode: 'human' });
    expect(await historyOf(id)).toMatchObject([{ reason: 'reply', actor: { type: 'device' } }]);
    const phone = await ok(hub.call('GET', `/v1.0/sandbox/outbox?account_id=${account.id}`));
    expect(phone.result.filter(({ to }: Json) => to === contact)).toEqual([]);
  });

  test('refuses what began before it: a send that carries an older epoch', async () => {
    const id = await newConversation();
    const { mode_epoch: epoch } = await read(id);
    await send(id, { text: 'in time', mode_epoch: epoch });
    await put(id, { ai_mode: 'human' });
    const late = await hub.call('POST', `/v1.0/conversations/${id}/messages`, { text: 'late', mode_epoch: epoch });
    expect(late).toMatchObject({ status: 409, body: { error: { reason: 'MODE_CHANGED' } } });
    // Back to `ai` is another epoch: what was begun before the takeover stays refused.
    await put(id, { ai_mode: 'ai' });
    const later = await hub.call('POST', `/v1.0/conversations/${id}/messages`, { text: 'late', mode_epoch: epoch });
    expect(later.status).toBe(409);
    await send(id, { text: 'of now', mode_epoch: epoch + 2 });
  });

  test('is not fenced by itself: a person’s reply that names the present epoch goes out', async () => {
    const id = await newConversation();
    const { mode_epoch } = await read(id);
    for (const [call, body] of [
      [manager.call, { text: 'a person', mode_epoch }],
      [hub.call, { text: 'a person behind it', mode_epoch: mode_epoch + 1, takeover: true }],
    ] as const) {
      const sent = await ok(call('POST', `/v1.0/conversations/${id}/messages`, body));
      await eventually(async () =>
        expect(await ok(hub.call('GET', `/v1.0/conversations/${id}/messages/${sent.id}`))).toMatchObject({
          status: 'done',
        }),
      );
    }
  });

  test('withdraws what was accepted and not sent yet, visibly, and leaves the rest alone', async () => {
    const other = await newSandbox(hub);
    const { conversation_id: id } = await inbound(hub, other.id, nextContact(), 'hello');
    const throttle = { account_id: other.id, count: 1000, kind: 'throttle', retry_after: 3600 };
    await ok(hub.call('POST', '/v1.0/sandbox/faults', throttle));
    const { mode_epoch: epoch } = await read(id);
    const fenced = await send(id, { text: 'of an assistant', mode_epoch: epoch });
    const free = await send(id, { text: 'of other software' });
    await put(id, { ai_mode: 'human' });
    const { result } = await ok(hub.call('GET', `/v1.0/conversations/${id}/messages`));
    const byId = new Map<string, Json>(result.map((message: Json) => [message.id, message]));
    expect(byId.get(fenced.id)).toMatchObject({ status: 'failed', deliveries: [{ error: { code: 'MODE_CHANGED' } }] });
    expect(byId.get(free.id)).toMatchObject({ status: 'progressing' });
  });
});
