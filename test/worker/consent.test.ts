import { evictDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, test } from 'vitest';
import { faults } from '../support/faults.ts';
import { eventually, inbound, newHub, newSandbox, ok, type Hub, type Json } from '../support/hub.ts';

let hub: Hub;
let account: Json;

beforeAll(async () => {
  hub = await newHub();
  account = await newSandbox(hub);
});

let contacts = 0;
const nextContact = (): string => `+15557100${String((contacts += 1)).padStart(3, '0')}`;
const says = async (contact: string, text: string): Promise<string> =>
  (await inbound(hub, account.id, contact, text)).conversation_id;
const send = (id: string, headers = {}) =>
  hub.call('POST', `/v1.0/conversations/${id}/messages`, { text: 'our news' }, headers);
const read = (id: string): Promise<Json> => ok(hub.call('GET', `/v1.0/conversations/${id}`));
const close = (id: string): Promise<Json> => ok(hub.call('PUT', `/v1.0/conversations/${id}`, { ai_mode: 'closed' }));
const REFUSED = { status: 422, body: { error: { reason: 'CONTACT_OPTED_OUT' } } };

describe('STOP', () => {
  test.each(['STOP', 'stop', ' Unsubscribe ', 'cancel', 'END', 'Quit.'])(
    'as %j opts out, at once and for every sender',
    async (word) => {
      const id = await says(nextContact(), 'hello');
      expect(await read(id)).toMatchObject({ opt_out: false });
      await says((await read(id)).peer.target, word);
      expect(await read(id)).toMatchObject({ opt_out: true });
      expect(await send(id)).toMatchObject(REFUSED);
      const { result } = await ok(hub.call('GET', `/v1.0/conversations/${id}/timeline`));
      expect(result[1]).toMatchObject({
        type: 'system',
        data: { opt_out: true, reason: 'contact', actor: { type: 'contact' } },
      });
    },
  );

  test.each(['STOP 12345', 'please stop', 'stopp', 'the end', 'start'])('is not %j', async (text) => {
    const id = await says(nextContact(), text);
    expect(await read(id)).toMatchObject({ opt_out: false });
    await ok(send(id));
  });

  test('holds in the next conversation, on every account of the number alone, until START; also after evictions', async () => {
    const contact = nextContact();
    const first = await says(contact, 'STOP');
    await close(first);
    const second = await says(contact, 'hello again');
    expect(second).not.toBe(first);
    expect(await read(second)).toMatchObject({ opt_out: true });
    expect(await send(second)).toMatchObject(REFUSED);
    await evictDurableObject(env.CONVERSATION.getByName(second));
    expect(await send(second)).toMatchObject(REFUSED);

    await says(contact, 'start');
    expect(await read(second)).toMatchObject({ opt_out: false });
    await ok(send(second));
    await close(second);
    const third = await says(contact, 'hello');
    expect(await read(third)).toMatchObject({ opt_out: false });
    await ok(send(third));
    await close(third);
    // A redelivered STOP of long ago changes nothing: the conversation that had it has it once.
    expect(await read(await says(contact, 'still here'))).toMatchObject({ opt_out: false });

    const elsewhere = await ok(
      hub.call('POST', '/v1.0/conversation_accounts', {
        type: 'sms',
        provider_data: { provider: 'sandbox', number: '+15550100077' },
      }),
    );
    await says(contact, 'STOP');
    const { conversation_id: other } = await inbound(hub, elsewhere.id, contact, 'hello');
    await ok(send(other));
  });

  test('is one of many at once, and the first message of a contact: no conversation of it forgets', async () => {
    const contact = nextContact();
    await Promise.all([says(contact, 'hello'), says(contact, 'STOP'), says(contact, 'really')]);
    const id = await says(contact, 'are you there?');
    expect(await send(id)).toMatchObject(REFUSED);
  });

  test('withdraws also what the conversation before still has to send', async () => {
    const contact = nextContact();
    const first = await says(contact, 'hello');
    faults.queueFails = true;
    const sent = await ok(send(first));
    await close(first);
    await says(contact, 'STOP');
    faults.queueFails = false;
    const found = await ok(hub.call('GET', `/v1.0/conversations/${first}/messages/${sent.id}`));
    expect(found).toMatchObject({ status: 'failed', deliveries: [{ error: { code: 'CONTACT_OPTED_OUT' } }] });
  });

  test('withdraws what waits to be sent', async () => {
    const contact = nextContact();
    const id = await says(contact, 'hello');
    faults.queueFails = true;
    const sent = await ok(send(id));
    await says(contact, 'STOP');
    faults.queueFails = false;
    const found = await ok(hub.call('GET', `/v1.0/conversations/${id}/messages/${sent.id}`));
    expect(found).toMatchObject({ status: 'failed', deliveries: [{ error: { code: 'CONTACT_OPTED_OUT' } }] });
    const phone = await ok(hub.call('GET', `/v1.0/sandbox/outbox?account_id=${account.id}`));
    expect(phone.result.filter(({ to }: Json) => to === contact)).toEqual([]);
  });
});

test('a verdict that is told again after START says nothing of what the contact wants now', async () => {
  const contact = nextContact();
  const id = await says(contact, 'hello');
  const sent = await ok(send(id));
  const object = env.CONVERSATION.getByName(id);
  const news = { status: 'failed' as const, error: { code: '21610', text: 'unsubscribed' }, optedOut: true };
  await says(contact, 'STOP');
  await says(contact, 'START');
  // Late, and then told twice: all of it is about what was sent before the contact’s last word.
  for (let times = 0; times < 2; times += 1) await object.receipt(hub.customerId, sent.deliveries[0].id, news);
  expect(await read(id)).toMatchObject({ opt_out: false });
  await ok(send(id));
});

test('a verdict on what was sent before START, told to the conversation before, leaves the contact opted in', async () => {
  const contact = nextContact();
  const first = await says(contact, 'hello');
  const sent = await ok(send(first));
  await close(first);
  const second = await says(contact, 'START');
  const news = { status: 'failed' as const, error: { code: '21610', text: 'unsubscribed' }, optedOut: true };
  await env.CONVERSATION.getByName(first).receipt(hub.customerId, sent.deliveries[0].id, news);
  expect(await read(second)).toMatchObject({ opt_out: false });
  await close(second);
  expect(await read(await says(contact, 'hello'))).toMatchObject({ opt_out: false });
});

test('a word that changes nothing here is told on all the same, and beats an older verdict', async () => {
  const contact = nextContact();
  const first = await says(contact, 'hello');
  await close(first);
  const second = await says(contact, 'START');
  const conversation = env.CONVERSATION.getByName(second);
  const read = await conversation.read(hub.customerId);
  const name = read.ok ? read.value.addressName : '';
  const older = await conversation.learnConsent(hub.customerId, name, { optOut: true, at: 1 });
  expect(older).toMatchObject({ ok: true, value: { changed: false } });
  await ok(send(second));
});

test('a provider’s verdict opts out too, in this conversation and in the one that answers by then', async () => {
  const contact = nextContact();
  const first = await says(contact, 'hello');
  const sent = await ok(send(first));
  const [delivery] = sent.deliveries;
  await close(first);
  const second = await says(contact, 'hello again');
  const object = env.CONVERSATION.getByName(first);
  const news = { status: 'failed' as const, error: { code: '21610', text: 'unsubscribed' }, optedOut: true };
  expect(await object.receipt(hub.customerId, delivery.id, news)).toBe(true);
  await eventually(async () => expect(await send(second)).toMatchObject(REFUSED));
  const { result } = await ok(hub.call('GET', `/v1.0/conversations/${second}/timeline`));
  expect(result[0]).toMatchObject({
    type: 'system',
    data: { opt_out: true, reason: 'elsewhere', actor: { type: 'system' } },
  });
});
