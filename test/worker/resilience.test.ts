import {
  createExecutionContext,
  createMessageBatch,
  evictDurableObject,
  getQueueResult,
  runDurableObjectAlarm,
  runInDurableObject,
} from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { faults } from '../support/faults.ts';
import worker from '../support/faulty-worker.ts';
import { eventually, inbound, newHub, newSandbox, ok, type Hub, type Json } from '../support/hub.ts';
import { readId } from '../../src/dialects/voicebip/ids.ts';
import { SOMEBODY } from '../unit/domain/support.ts';

let hub: Hub;
let account: Json;

beforeAll(async () => {
  hub = await newHub();
  account = await newSandbox(hub);
});

afterEach(() => vi.useRealTimers());

const object = (id: string) => env.CONVERSATION.getByName(id);
const phone = async (contact: string): Promise<string[]> =>
  (await ok(hub.call('GET', `/v1.0/sandbox/outbox?account_id=${account.id}`))).result
    .filter((message: Json) => message.to === contact)
    .map((message: Json) => message.text)
    .toReversed();
const send = (id: string, text: string) => ok(hub.call('POST', `/v1.0/conversations/${id}/messages`, { text }));

/** The log as the object has it. */
const logOf = (id: string): Promise<Json[]> =>
  runInDurableObject(object(id), (_, state) =>
    state.storage.sql.exec('SELECT sequence, type, message_id, facts, at FROM log ORDER BY sequence').toArray(),
  );
const projectedLog = async (id: string): Promise<Json[]> =>
  (
    await env.DB.prepare(
      'SELECT sequence, type, message_id, facts, at FROM events WHERE source_id = ? ORDER BY sequence',
    )
      .bind(id)
      .all()
  ).results;

/** A batch as the queue would bring it. */
async function consume(queue: string, bodies: unknown[]) {
  const messages = bodies.map((body, index) => ({ id: String(index), timestamp: new Date(), attempts: 1, body }));
  const batch = createMessageBatch(queue, messages);
  await worker.queue(batch, env);
  return getQueueResult(batch, createExecutionContext());
}

/** Moves the clock, and does what the object's alarm would do then. Only Date is moved: timers go on by themselves. */
async function later(id: string, ms: number): Promise<void> {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms });
  await runDurableObjectAlarm(object(id));
}

describe('with D1 failing', () => {
  test('messages are accepted and ordered, and when it is back D1 equals the log', async () => {
    const contact = '+15550001000';
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'before');
    await eventually(async () => expect(await projectedLog(id)).toEqual(await logOf(id)));
    faults.d1 = true;
    for (let index = 0; index < 10; index += 1) {
      expect((await inbound(hub, account.id, contact, `in ${index}`)).conversation_id).toBe(id);
      await send(id, `out ${index}`);
    }
    const { result } = await ok(hub.call('GET', `/v1.0/conversations/${id}/messages`));
    expect(result).toHaveLength(21);
    expect((await logOf(id)).length).toBeGreaterThan((await projectedLog(id)).length);
    faults.d1 = false;
    await later(id, 10 * 60_000);
    await eventually(async () => {
      expect(await projectedLog(id)).toEqual(await logOf(id));
      expect(await phone(contact)).toEqual(Array.from({ length: 10 }, (_, index) => `out ${index}`));
    });
  });

  test('a new contact’s first message is accepted too, and appears in the list afterwards', async () => {
    faults.d1 = true;
    const contact = '+15550001001';
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'hello');
    await send(id, 'hi');
    faults.d1 = false;
    await later(id, 10 * 60_000);
    await eventually(async () => {
      const { result } = await ok(hub.call('GET', `/v1.0/conversations?peer=${encodeURIComponent(contact)}`));
      expect(result).toMatchObject([{ id }]);
    });
  });

  test('and when only its answers are lost, repeated projections change nothing', async () => {
    const contact = '+15550001002';
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'one');
    await eventually(async () => expect(await projectedLog(id)).toEqual(await logOf(id)));
    faults.d1AnswerLost = true;
    await object(id).update({ customerId: hub.customerId, actor: SOMEBODY, name: 'renamed' });
    await object(id).update({ customerId: hub.customerId, actor: SOMEBODY, name: 'renamed again' });
    faults.d1AnswerLost = false;
    await later(id, 10 * 60_000);
    await eventually(async () => expect(await projectedLog(id)).toEqual(await logOf(id)));
  });
});

describe('with D1 failing, Voicebip’s dialect', () => {
  test('reads, sends and hands over as VoIPBIN’s does, also when nothing that it knows of D1 is fresh', async () => {
    const contact = '+15550001003';
    const line = await newSandbox(hub);
    const agent = await ok(hub.call('POST', '/v1/agents', { webhook_url: 'http://127.0.0.1:1/byom' }));
    const assistant_id = readId('agt', agent.agent_id);
    await ok(hub.call('PUT', `/v1.0/conversation_accounts/${line.id}`, { assistant_id }));
    const ends = { agent_id: agent.agent_id, channel: 'sms', from_number: '+15550100000', to_number: contact };
    const say = (body: string) => ok(hub.call('POST', '/v1/messages', { ...ends, body }));
    const { conversation_id: id } = await say('before');
    const path = `/v1/conversations/${id}`;
    const shown = { agent_id: agent.agent_id, ai_mode: 'human' };
    await ok(hub.call('GET', path));

    faults.d1 = true;
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 });
    expect(await ok(hub.call('PATCH', path, { ai_mode: 'human' }))).toMatchObject({ ...shown, changed: true });
    expect((await say('meanwhile')).conversation_id).toBe(id);
    expect(await ok(hub.call('GET', path))).toMatchObject(shown);
  });
});

describe('with the queue losing everything once', () => {
  test('all sends still go out, once and in order', async () => {
    const contact = '+15550001010';
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'hello');
    faults.queueLoses = true;
    for (const text of ['one', 'two', 'three']) await send(id, text);
    faults.queueLoses = false;
    expect(await phone(contact)).toEqual([]);
    await later(id, 25_000);
    await eventually(async () => expect(await phone(contact)).toEqual(['one', 'two', 'three']));
    await evictDurableObject(object(id));
    await later(id, 60_000);
    expect(await phone(contact)).toEqual(['one', 'two', 'three']);
  });

  test('the same when the queue refuses them', async () => {
    const contact = '+15550001011';
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'hello');
    faults.queueFails = true;
    for (const text of ['one', 'two']) await send(id, text);
    faults.queueFails = false;
    await later(id, 5000);
    await eventually(async () => expect(await phone(contact)).toEqual(['one', 'two']));
  });

  test('a job that the queue delivers three times makes one provider request', async () => {
    const contact = '+15550001012';
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'hello');
    faults.queueLoses = true;
    const message = await send(id, 'once');
    faults.queueLoses = false;
    const body = { v: 1, conversationId: id, deliveryId: message.deliveries[0].id, accountId: account.id, attempt: 1 };
    await consume('channel-sends', [body, body, body]);
    await eventually(async () => expect(await phone(contact)).toEqual(['once']));
  });
});

describe('with a D1 that hangs', () => {
  test('a send goes out all the same', async () => {
    const contact = '+15550001014';
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'hello');
    await eventually(async () => expect(await projectedLog(id)).toEqual(await logOf(id)));
    faults.d1BatchHangs = true;
    await send(id, 'first');
    await send(id, 'second');
    await eventually(async () => expect(await phone(contact)).toEqual(['first', 'second']));
    expect((await logOf(id)).length).toBeGreaterThan((await projectedLog(id)).length);
  });
});

describe('a message that is deleted while it is being sent', () => {
  test('is not sent again empty, and what comes after it goes', async () => {
    const contact = '+15550001016';
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'hello');
    faults.queueLoses = true;
    const message = await send(id, 'to be deleted');
    const [{ id: deliveryId }] = message.deliveries;
    const policy = { idempotent: true, receiptWaitMs: 0 };
    expect(await object(id).claim(deliveryId, 1, policy)).not.toBeNull();
    await ok(hub.call('DELETE', `/v1.0/conversations/${id}/messages/${message.id}`));
    faults.queueLoses = false;
    await send(id, 'next');
    await object(id).report(deliveryId, 1, { kind: 'retry', code: 'HTTP_503', text: '', retryAfterMs: 0 });
    await eventually(async () => expect(await phone(contact)).toEqual(['next']));
    expect(await object(id).claim(deliveryId, 2, policy)).toBeNull();
  });
});

describe('an attempt that ended without an answer', () => {
  test('is not repeated once the provider says anything of it, be it only that it is sending', async () => {
    const contact = '+15550001017';
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'hello');
    faults.queueLoses = true;
    const message = await send(id, 'perhaps there');
    const [{ id: deliveryId }] = message.deliveries;
    const policy = { idempotent: false, receiptWaitMs: 60_000 };
    await object(id).claim(deliveryId, 1, policy);
    await object(id).report(deliveryId, 1, { kind: 'unknown', code: 'TIMEOUT', text: '' });
    expect(await object(id).receipt(hub.customerId, deliveryId, { status: 'sending' })).toBe(true);
    faults.queueLoses = false;
    await later(id, 3600_000);
    expect(await object(id).claim(deliveryId, 2, policy)).toBeNull();
    expect(await phone(contact)).toEqual([]);
    const now = await ok(hub.call('GET', `/v1.0/conversations/${id}/messages/${message.id}`));
    expect(now).toMatchObject({ status: 'done', deliveries: [{ status: 'sent', uncertain: true }] });
  });
});

describe('an alarm that was lost', () => {
  test('is made up for by the cron: what waited goes out', async () => {
    const contact = '+15550001015';
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'hello');
    faults.queueLoses = true;
    await send(id, 'forgotten');
    faults.queueLoses = false;
    await eventually(async () => expect(await projectedLog(id)).toEqual(await logOf(id)));
    await runInDurableObject(object(id), (_, state) => state.storage.deleteAlarm());
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 25_000 });
    await worker.scheduled({ scheduledTime: Date.now(), cron: '* * * * *', noRetry: () => undefined }, env);
    await eventually(async () => expect(await phone(contact)).toEqual(['forgotten']));
  });
});

describe('a provider that fails', () => {
  const fault = (kind: string, count: number, retry_after?: number) =>
    ok(
      hub.call('POST', '/v1.0/sandbox/faults', {
        account_id: account.id,
        kind,
        count,
        ...(retry_after === undefined ? {} : { retry_after }),
      }),
    );

  test('with 429 is asked again when it said, and what came later waits its turn', async () => {
    const contact = '+15550001020';
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'hello');
    await fault('throttle', 1, 30);
    for (const text of ['one', 'two', 'three']) await send(id, text);
    const waits = () =>
      runInDurableObject(object(id), (_, state) =>
        state.storage.sql
          .exec<{ data: string }>('SELECT data FROM sends')
          .toArray()
          .map((row) => JSON.parse(row.data)),
      );
    await eventually(async () =>
      expect((await waits()).find(({ position }) => position === 3)).toMatchObject({ phase: 'waiting', attempt: 1 }),
    );
    expect(await phone(contact)).toEqual([]);
    await later(id, 31_000);
    await eventually(async () => expect(await phone(contact)).toEqual(['one', 'two', 'three']));
  });

  test('with 4xx fails at once, visibly, and the next message goes', async () => {
    const contact = '+15550001021';
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'hello');
    await fault('reject', 1);
    const first = await send(id, 'refused');
    await send(id, 'taken');
    await eventually(async () => {
      const message = await ok(hub.call('GET', `/v1.0/conversations/${id}/messages/${first.id}`));
      expect(message).toMatchObject({
        status: 'failed',
        deliveries: [{ status: 'failed', error: { code: 'SANDBOX_REJECTED', message: 'refused on request' } }],
      });
      expect(await phone(contact)).toEqual(['taken']);
    });
  });

  test('with 5xx is asked again until it works', async () => {
    const contact = '+15550001022';
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'hello');
    await fault('error', 2);
    const { id: messageId } = await send(id, 'stubborn');
    await eventually(async () => {
      await later(id, 3000);
      expect(await ok(hub.call('GET', `/v1.0/conversations/${id}/messages/${messageId}`))).toMatchObject({
        status: 'done',
        deliveries: [{ attempts: 3 }],
      });
    });
    expect(await phone(contact)).toEqual(['stubborn']);
  });

  test('for good ends as failed after the last attempt, never silently', async () => {
    const contact = '+15550001023';
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'hello');
    await fault('error', 1000);
    const { id: messageId } = await send(id, 'hopeless');
    await eventually(async () => {
      await later(id, 45 * 60_000);
      const message = await ok(hub.call('GET', `/v1.0/conversations/${id}/messages/${messageId}`));
      expect(message).toMatchObject({ status: 'failed', deliveries: [{ error: { code: 'SANDBOX_ERROR' } }] });
    });
    await fault('error', 0);
  });
});

describe('a dead letter', () => {
  test('ends no send that somebody has claimed: theirs is the report', async () => {
    const contact = '+15550001031';
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'hello');
    faults.queueLoses = true;
    const message = await send(id, 'under way');
    const deliveryId = message.deliveries[0].id;
    await object(id).claim(deliveryId, 1, { idempotent: true, receiptWaitMs: 0 });
    await consume('channel-sends-dead', [{ v: 1, conversationId: id, deliveryId, accountId: account.id, attempt: 1 }]);
    const status = async () => (await ok(hub.call('GET', `/v1.0/conversations/${id}/messages/${message.id}`))).status;
    expect(await status()).toBe('progressing');
    await object(id).report(deliveryId, 1, { kind: 'accepted', providerId: 'p' });
    expect(await status()).toBe('done');
  });

  test('ends its delivery as failed, visibly, and frees the lane', async () => {
    const contact = '+15550001030';
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'hello');
    faults.queueLoses = true;
    const message = await send(id, 'dead');
    await send(id, 'alive');
    faults.queueLoses = false;
    const body = { v: 1, conversationId: id, deliveryId: message.deliveries[0].id, accountId: account.id, attempt: 1 };
    await consume('channel-sends-dead', [body]);
    await eventually(async () => {
      const dead = await ok(hub.call('GET', `/v1.0/conversations/${id}/messages/${message.id}`));
      expect(dead).toMatchObject({ status: 'failed', deliveries: [{ error: { code: 'DEAD_LETTER' } }] });
      expect(await phone(contact)).toEqual(['alive']);
    });
  });

  test('a body that no consumer can read is dropped, and the others of its batch are done', async () => {
    const { outcome, explicitAcks } = await consume('channel-sends', [{ nonsense: true }, 'text', null, { v: 2 }]);
    expect({ outcome, acks: explicitAcks.length }).toEqual({ outcome: 'ok', acks: 4 });
  });
});

describe('silence', () => {
  test('makes a conversation idle, a message wakes it, and the close timeout ends it', async () => {
    const quiet = await newHub();
    const own = await newSandbox(quiet);
    await ok(quiet.call('PUT', '/v1.0/customer', { conversation_idle_timeout: 60, conversation_close_timeout: 3600 }));
    const { conversation_id: id } = await inbound(quiet, own.id, '+15550001040', 'one');
    const state = async () => (await ok(quiet.call('GET', `/v1.0/conversations/${id}`))).state;
    await later(id, 61_000);
    expect(await state()).toBe('idle');
    await evictDurableObject(object(id));
    await inbound(quiet, own.id, '+15550001040', 'two');
    expect(await state()).toBe('active');
    await later(id, 2 * 3600_000);
    expect(await state()).toBe('closed');
  });
});
