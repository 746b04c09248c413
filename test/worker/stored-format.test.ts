import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { address } from '../../src/domain/addresses.ts';
import { talkKey } from '../../src/domain/talk/ids.ts';
import { MIGRATIONS } from '../../src/objects/conversation/migrations.ts';
import { migrate } from '../../src/objects/runtime/migrations.ts';
import { addressName } from '../../src/objects/stubs.ts';
import { faults, heal, outbox } from '../support/faults.ts';
import { eventually, newHub, newSandbox, ok, type Hub, type Json } from '../support/hub.ts';
import { openSocket } from '../support/live.ts';
import { newPeople, type Person } from '../support/people.ts';
import { fill, load, storedObjects, type StoredObjects } from '../support/stored.ts';
import { anInbound, anOpening } from '../unit/domain/support.ts';
import stored from '../fixtures/stored/aa301288/objects.json';

// The same objects for every test, under other ids: each has a customer and objects of its own.
let hub: Hub;
let objects: StoredObjects;
let xena: Person;
let yuri: Person;

const call = (method: string, path: string, body?: unknown) => hub.call(method, `/v1.0/${path}`, body);
const SETTINGS = { idleMs: 60_000, closeMs: 120_000, publicUrl: 'https://parley.example' };
const POLICY = { idempotent: false, receiptWaitMs: 60_000 };

beforeEach(async () => {
  hub = await newHub();
  const sms = await newSandbox(hub);
  const own = `shop-${crypto.randomUUID().slice(0, 8)}@shop.example`;
  const mail = await ok(call('POST', 'conversation_accounts', { type: 'email', provider_data: { address: own } }));
  const allowed = { allowed_origins: ['https://shop.example'] };
  const chat = await ok(call('POST', 'conversation_accounts', { type: 'chat', provider_data: allowed }));
  [xena, yuri] = (await newPeople(hub, ['Xena', 'Yuri'])) as [Person, Person];
  const { ids } = stored;
  const talk = crypto.randomUUID();
  objects = await storedObjects({
    [ids.customerId]: hub.customerId,
    [ids.sms]: sms.id,
    [ids.mail]: mail.id,
    [ids.chat]: chat.id,
    [ids.xena]: xena.id,
    [ids.yuri]: yuri.id,
    [ids.conversation]: crypto.randomUUID(),
    [ids.merged]: crypto.randomUUID(),
    [ids.chatConversation]: crypto.randomUUID(),
    [talkKey(ids.talk)]: talkKey(talk),
    'shop@shop.example': own,
  });
});

afterEach(() => {
  vi.useRealTimers();
  heal();
});

const objectOf = (id: string) => env.CONVERSATION.getByName(id);

async function conversation() {
  const { ids } = objects;
  const object = objectOf(ids.conversation);
  await load(object, objects.conversation);
  return { ids, object, id: ids.conversation };
}

const deliveriesOf = async (id: string, messageId: string): Promise<Json[]> =>
  (await ok(call('GET', `conversations/${id}/messages/${messageId}`))).deliveries;

const recordOf = (object: ReturnType<typeof objectOf>): Promise<Json> =>
  runInDurableObject(object, (_, { storage }) =>
    JSON.parse(storage.sql.exec<{ data: string }>('SELECT data FROM record').one().data),
  );

describe('a conversation that aa301288 stored', () => {
  test('shows its people, its messages, its histories and its log', async () => {
    const { id, ids, object } = await conversation();
    expect(await ok(call('GET', `conversations/${id}`))).toMatchObject({
      id,
      name: 'A group',
      type: 'email',
      ai_mode: 'ai',
      tags: ['kept'],
      peer: { target: 'ann@contact.example' },
    });
    const { result: participants } = await ok(call('GET', `conversations/${id}/participants`));
    expect(participants).toHaveLength(1);
    expect(participants[0].addresses.map(({ target }: Json) => target).toSorted()).toEqual(
      ['+15557770001', '+15557770002', 'ann@contact.example', 'ann@second.example'].toSorted(),
    );
    const listed = await object.listMessages(hub.customerId, null, 100);
    expect(listed.ok && listed.value.map(({ text }) => text)).toEqual([
      'a question',
      'START',
      'unknown',
      'waiting behind',
      'claimed',
      'by mail too',
      'hi, Ann here',
    ]);
    const changes = await object.listChanges(hub.customerId, 'mode', null, 10);
    expect(changes.ok && changes.value.map(({ change }) => change.mode?.to)).toEqual(['ai', 'human']);
    const socket = await openSocket(`/v1.0/conversations/${id}/ws?after=0`, {
      authorization: `Bearer ${hub.accessKey}`,
    });
    const frames = await socket.take(23);
    expect(frames.map(({ sequence }) => sequence)).toEqual([
      ...Array.from({ length: 22 }, (_, index) => index + 1),
      22,
    ]);
    expect(frames.at(-1)?.type).toBe('caught_up');
    expect(JSON.stringify(frames)).not.toContain('+15557770003');
    socket.close();
    const answered = await object.answered(hub.customerId, { key: 'a-key', fingerprint: 'f' });
    expect(answered?.ok && answered.value.id).toBe(ids.sent.claimed.messageId);
  });

  test('takes reports and receipts, and goes on sending in order', async () => {
    const { id, ids, object } = await conversation();
    const { claimed, unknown, 'waiting behind': next } = ids.sent;
    const sentBefore = outbox.length;
    await object.report(claimed.deliveryId, 1, { kind: 'accepted', providerId: 'provider-1' });
    // Its watermark came before the report of the sending.
    const mark = (await recordOf(object)).watermarks[await nameOf('email', 'ann@contact.example')];
    expect(mark.delivered).toBeGreaterThan(0);
    expect(await deliveriesOf(id, claimed.messageId)).toMatchObject([{ status: 'delivered' }]);
    expect(await object.receipt(hub.customerId, unknown.deliveryId, { status: 'delivered' })).toBe(true);
    expect(await deliveriesOf(id, unknown.messageId)).toMatchObject([{ status: 'delivered' }]);
    await eventually(async () =>
      expect(await deliveriesOf(id, next.messageId)).toMatchObject([{ channel: 'email', status: 'sent' }]),
    );
    expect(outbox.slice(sentBefore).map(({ to }) => to)).toEqual(['ann@contact.example']);
  });

  test('falls back to the options that it had', async () => {
    const { id, ids, object } = await conversation();
    const { deliveryId, messageId } = ids.sent.claimed;
    await object.report(deliveryId, 1, { kind: 'rejected', code: '550', text: 'no such mailbox' });
    await eventually(async () =>
      expect(await deliveriesOf(id, messageId)).toMatchObject([
        { channel: 'email', status: 'failed' },
        { channel: 'message', target: '+15557770001', status: 'sent', fallback_for: deliveryId },
      ]),
    );
  });

  test('keeps its turn until people take over, and refuses what was stopped', async () => {
    const { id, ids, object } = await conversation();
    expect(await object.isTurnOpen(ids.turn)).toBe(true);
    const wanted = { turnId: crypto.randomUUID(), messageId: ids.turn, assistantId: ids.assistant, debounceMs: 0 };
    const stopped = await object.requestTurn(hub.customerId, { ...wanted, epoch: null, activeflowId: ids.activeflow });
    expect(stopped).toEqual({ ok: false, error: { code: 'ACTIVEFLOW_STOPPED' } });
    await ok(call('PUT', `conversations/${id}`, { ai_mode: 'human' }));
    expect(await object.isTurnOpen(ids.turn)).toBe(false);
  });

  test('publishes the consent that it had not published', async () => {
    const { object } = await conversation();
    const name = await nameOf('email', 'ann@second.example');
    expect((await recordOf(object)).consents[name].unpublished).toMatchObject({ optOut: false });
    await object.update({ customerId: hub.customerId, actor: { type: 'accesskey', id: 'x' }, name: 'renamed' });
    await eventually(async () => expect((await recordOf(object)).consents[name].unpublished).toBeNull());
  });

  test('ends the erasure that was under way: nothing is announced again, and the rest goes with the next one', async () => {
    const { id, ids, object } = await conversation();
    const endpoint = { url: 'http://127.0.0.1:9/never', events: [] };
    await ok(call('POST', 'webhook_endpoints', endpoint));
    const erasedName = await nameOf('message', '+15557770003');
    const fromErased = {
      opening: anOpening({
        conversationId: id,
        customerId: hub.customerId,
        addressName: erasedName,
        peer: address('tel', '+15557770003'),
      }),
      automation: { flow: null, assistant: null },
      settings: SETTINGS,
      item: anInbound({ dedupeKey: 'late', messageId: crypto.randomUUID() }),
    };
    expect(await object.receive(fromErased)).toEqual({ ok: false, error: { code: 'CONVERSATION_CLOSED' } });
    expect(await object.erase(hub.customerId, [ids.erasedContact])).toMatchObject({
      isWhole: false,
      addressNames: [erasedName],
      messageIds: expect.arrayContaining([ids.sent['lost with the erased'].messageId]),
    });
    await object.rebuild();
    const { results: events } = await env.DB.prepare('SELECT facts FROM events WHERE source_id = ? ORDER BY sequence')
      .bind(id)
      .all();
    expect(events).toHaveLength(22);
    expect(JSON.stringify(events)).not.toContain('+15557770003');
    const owed = env.DB.prepare('SELECT sequence FROM webhook_deliveries WHERE source_id = ?').bind(id);
    expect((await owed.all()).results).toEqual([]);
    await ok(call('PUT', `conversations/${id}`, { name: 'announced' }));
    await eventually(async () => expect((await owed.all()).results).toEqual([{ sequence: 23 }]));
    expect(await object.erase(hub.customerId, [ids.remainingContact])).toMatchObject({ isWhole: true });
    expect(await object.read(hub.customerId)).toMatchObject({ ok: false });
    expect(await object.knows('email:1')).toBe(true);
  });

  test('is stored under the present names afterwards', async () => {
    const { object } = await conversation();
    const tables = () =>
      runInDurableObject(object, (_, { storage }) => ({
        steps: storage.sql.exec('SELECT id FROM object_migrations ORDER BY id').toArray(),
        spares: storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 'spares'").toArray(),
        kv: [...storage.kv.list()].map(([key]) => key),
      }));
    const after = await tables();
    expect(after.steps.at(-1)).toEqual({ id: '0004-plain-names' });
    expect(after).toMatchObject({ spares: [], kv: ['unfinished-erasure'] });
  });

  test('stays as it was where its migration fails', async () => {
    const record = objects.conversation.rows['record'] ?? [];
    const rows = { ...objects.conversation.rows, record: record.map((row) => ({ ...row, data: 'not JSON' })) };
    // Any object that has a storage and does not open it as a conversation.
    await runInDurableObject(env.ADDRESS.getByName(crypto.randomUUID()), (_, { storage }) => {
      fill(storage, { ...objects.conversation, rows });
      expect(() => migrate(storage, MIGRATIONS)).toThrow();
      expect(storage.sql.exec('SELECT count(*) AS count FROM spares').one()).toEqual({ count: 3 });
      expect(storage.sql.exec('SELECT count(*) AS count FROM object_migrations').one()).toEqual({ count: 3 });
    });
  });
});

test('a conversation that was merged leads on to the other one', async () => {
  const { ids } = objects;
  const object = objectOf(ids.merged);
  await load(object, objects.merged);
  expect(await object.mergedInto()).toBe(ids.conversation);
  expect(await object.isOver()).toBe(true);
});

test('a web chat’s answer goes by mail when its visitor is not seen', async () => {
  const { ids } = objects;
  const object = objectOf(ids.chatConversation);
  faults.queueLoses = true;
  await load(object, objects.chat);
  const statuses = async () => {
    const message = await object.readMessage(hub.customerId, ids.unseen.messageId);
    return message.ok ? message.value.deliveries.map(({ channel, status }) => [channel, status]) : [];
  };
  expect(await statuses()).toEqual([['chat', 'sent']]);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 });
  await runDurableObjectAlarm(object);
  expect(await statuses()).toEqual([
    ['chat', 'sent'],
    ['email', 'queued'],
  ]);
  const message = await object.readMessage(hub.customerId, ids.unseen.messageId);
  const mailed = message.ok ? message.value.deliveries[1] : null;
  expect(mailed).toMatchObject({ target: 'vera@contact.example', fallbackFor: ids.unseen.deliveryId });
  expect(await object.claim(mailed?.id ?? '', 1, POLICY)).toMatchObject({ to: 'vera@contact.example' });
});

test('a talk goes on where it was, and its pair finds it', async () => {
  const { ids } = objects;
  await load(env.TALK.getByName(talkKey(ids.talk)), objects.talk);
  const claims = env.ADDRESS.getByName(await pairName());
  await load(claims, objects.talkPair);
  const { result } = await ok(xena.call('GET', `/v1.0/talks/${ids.talk}/messages`));
  expect(result.map(({ text }: Json) => text)).toEqual(['an answer', 'first']);
  const open = (who: Person, partner: Person) =>
    ok(
      who.call('POST', '/v1.0/talks', {
        type: 'normal',
        participants: [{ owner_type: 'agent', owner_id: partner.id }],
      }),
    );
  const opened = await Promise.all([open(xena, yuri), open(yuri, xena)]);
  expect(opened.map(({ id }) => id)).toEqual([ids.talk, ids.talk]);
  const said = await ok(yuri.call('POST', `/v1.0/talks/${ids.talk}/messages`, { text: 'after the upgrade' }));
  expect(said).toMatchObject({ chat_id: ids.talk, text: 'after the upgrade' });
  await ok(xena.call('DELETE', `/v1.0/talks/${ids.talk}`));
  const next = await open(yuri, xena);
  expect(next.id).not.toBe(ids.talk);
  expect((await open(xena, yuri)).id).toBe(next.id);
});

async function nameOf(channel: string, theirs: string): Promise<string> {
  const own = (objects.conversation.rows['record']?.[0]?.['data'] ?? '') as string;
  const ours = channel === 'email' ? JSON.parse(own).conversation.self.target : '+15550100000';
  return addressName({ customerId: hub.customerId, channel, ours, theirs });
}

function pairName(): Promise<string> {
  const [ours = '', theirs = ''] = [xena.id, yuri.id].toSorted();
  return addressName({ customerId: hub.customerId, channel: 'talk', ours, theirs });
}
