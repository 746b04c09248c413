import { env, exports } from 'cloudflare:workers';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { attemptSend } from '../../src/queues/channel-sends.ts';
import { faults, heal, withFaults } from '../support/faults.ts';
import { eventually, newHub, newSandbox, ok, ORIGIN, type Json } from '../support/hub.ts';
import {
  conversationsOf,
  dsn,
  hub,
  lastTo,
  mail,
  messagesOf,
  newAddress,
  newMailbox,
  openMailbox,
  own,
  send,
  textsOf,
  theOnly,
} from '../support/mailbox.ts';
import { newSender } from '../support/mails.ts';

let sms: Json;

beforeAll(async () => {
  await openMailbox({ fallback: true });
  sms = await newSandbox(hub);
});
afterEach(() => heal());

let people = 0;
const nextTel = (): string => `+1555750${String((people += 1)).padStart(4, '0')}`;
const outboxOf = async (to: string): Promise<string[]> =>
  (await ok(hub.call('GET', `/v1.0/sandbox/outbox?account_id=${sms.id}`))).result
    .filter((each: Json) => each.to === to)
    .map(({ text }: Json) => text);

describe('two customers', () => {
  test('one registers the address of the other’s contact: the other still gets its mails', async () => {
    const from = newSender();
    const other = await newHub();
    await newMailbox(`c-${from.slice(4, 20)}@company.example`, {}, other);
    expect(await mail({ from: `c-${from.slice(4, 20)}@company.example`, text: 'Where is my order?' })).toBeNull();
    await theOnly(`c-${from.slice(4, 20)}@company.example`);
  });
});

describe('a mail', () => {
  test('with the Message-ID of another one takes nothing of that from the search', async () => {
    const [first, second, id] = [newSender(), newSender(), `${crypto.randomUUID()}@company.example`];
    await mail({ from: first, id, text: 'aubergine' });
    const conversation = await theOnly(first);
    const find = async (word: string) =>
      (await ok(hub.call('GET', `/v1.0/conversations?q=${word}`))).result.map((each: Json) => each.id);
    await eventually(async () => expect(await find('aubergine')).toEqual([conversation.id]));
    await mail({ from: second, id, text: 'courgette' });
    const other = await theOnly(second);
    await eventually(async () => expect(await textsOf(other.id)).toEqual(['courgette']));
    expect({ aubergine: await find('aubergine'), courgette: await find('courgette') }).toEqual({
      aubergine: [conversation.id],
      courgette: [other.id],
    });
  });

  test('of a stranger who has only seen the references does not come in by making an address of them', async () => {
    const from = newSender();
    await mail({ from, text: 'private' });
    const conversation = await theOnly(from);
    await send(conversation.id, { text: 'answer' });
    const answer = await lastTo(from);
    const token = /^conv\.([0-9a-z]+)@/.exec(answer.references[0] ?? '')?.[1] ?? '';
    const [local, domain] = own.split('@');
    const stranger = newSender();
    await mail({ from: stranger, to: `${local}+${token}@${domain}`, text: 'let me in' });
    expect(await textsOf(conversation.id)).toEqual(['private', 'answer']);
  });

  test('to one person of a conversation shows nothing of the thread with another one', async () => {
    const [ada, bob] = [newSender(), newSender()];
    const made = await ok(
      hub.call('POST', '/v1.0/conversations', {
        participants: [
          { type: 'email', target: ada },
          { type: 'email', target: bob },
        ],
      }),
    );
    const adas = `${crypto.randomUUID()}@company.example`;
    const bobs = `${crypto.randomUUID()}@company.example`;
    await mail({ from: bob, id: bobs, subject: 'Hello from Bob', text: 'b' });
    await mail({ from: ada, id: adas, subject: 'My salary', text: 'a' });
    expect(await textsOf(made.id)).toEqual(['b', 'a']);
    await send(made.id, { text: 'to both' });
    const toBob = await lastTo(bob);
    const inReplyTo = /^In-Reply-To: *<([^>]*)>/im.exec(toBob.raw)?.[1];
    expect({ subject: toBob.subject, inReplyTo, knows: toBob.references.includes(adas) }).toEqual({
      subject: 'Re: Hello from Bob',
      inReplyTo: bobs,
      knows: false,
    });
  });

  test('twenty times at once, and twenty first mails at once: one conversation, each mail once', async () => {
    const [from, id] = [newSender(), `${crypto.randomUUID()}@company.example`];
    await Promise.all(Array.from({ length: 20 }, () => mail({ from, id, text: 'the same' })));
    expect(await textsOf((await theOnly(from)).id)).toEqual(['the same']);
    const second = newSender();
    await Promise.all(Array.from({ length: 20 }, (_, index) => mail({ from: second, text: `n${index}` })));
    expect((await textsOf((await theOnly(second)).id)).toSorted()).toEqual(
      Array.from({ length: 20 }, (_, index) => `n${index}`).toSorted(),
    );
  });

  test('is known again when two conversations have been closed since', async () => {
    const [from, id] = [newSender(), `${crypto.randomUUID()}@company.example`];
    const close = async () => {
      const open = (await conversationsOf(from)).find(({ state }) => state === 'active');
      await ok(hub.call('PUT', `/v1.0/conversations/${open.id}`, { ai_mode: 'closed' }));
    };
    await mail({ from, id, text: 'once' });
    await theOnly(from);
    await close();
    await mail({ from, text: 'second' });
    await eventually(async () => expect(await conversationsOf(from)).toHaveLength(2));
    await close();
    await mail({ from, text: 'third' });
    await eventually(async () => expect(await conversationsOf(from)).toHaveLength(3));
    await mail({ from, id, text: 'once' });
    const texts = (await Promise.all((await conversationsOf(from)).map((each) => textsOf(each.id)))).flat();
    expect(texts.toSorted()).toEqual(['once', 'second', 'third']);
  });

  test('with a very long subject, name and Message-ID is stored', async () => {
    const from = newSender();
    const raw = [
      `From: ${'N'.repeat(100_000)} <${from}>`,
      `To: ${own}`,
      `Message-ID: <${'m'.repeat(900)}@x>`,
      `Subject: ${'s'.repeat(300_000)}`,
      '',
      'hi',
      '',
    ].join('\r\n');
    expect(await mail({ from, raw })).toBeNull();
    const { id } = await theOnly(from);
    await send(id, { text: 'answer' });
    await lastTo(from);
  });

  test('whose file our store cannot read now is tried again', async () => {
    const from = newSender();
    await mail({ from, text: 'private' });
    const { id } = await theOnly(from);
    const headers = { authorization: `Bearer ${hub.accessKey}`, 'content-type': 'text/plain' };
    const uploaded = await exports.default.fetch(`${ORIGIN}/v1.0/medias?filename=a.txt`, {
      method: 'POST',
      headers,
      body: 'hello',
    });
    const upload: Json = await uploaded.json();
    faults.queueLoses = true;
    const sent = await send(id, { text: 'with a file', medias: [{ type: 'text/plain', url: upload.url }] });
    faults.r2 = true;
    const deliveryId: string = sent.deliveries[0].id;
    await attemptSend(withFaults(env), {
      v: 1,
      conversationId: id,
      deliveryId,
      accountId: sent.deliveries[0].account_id,
      attempt: 1,
    });
    expect((await messagesOf(id)).at(-1).deliveries[0]).toMatchObject({
      status: 'sending',
      error: { code: 'FILE_NOT_READ' },
    });
  });
});

describe('a fallback', () => {
  const both = async () => {
    const [phone, address] = [nextTel(), newSender()];
    const made = await ok(
      hub.call('POST', '/v1.0/conversations', {
        participants: [
          {
            addresses: [
              { type: 'email', target: address },
              { type: 'tel', target: phone },
            ],
          },
        ],
      }),
    );
    await ok(hub.call('POST', '/v1.0/sandbox/inbound', { account_id: sms.id, from: phone, text: 'by phone' }));
    await mail({ from: address, text: 'by mail' });
    expect(await textsOf(made.id)).toEqual(['by phone', 'by mail']);
    return { phone, address, id: made.id };
  };

  test('does not go by a way that the contact has opted out of meanwhile', async () => {
    const { phone, address, id } = await both();
    await send(id, { text: 'by mail first' });
    const { ownMark } = await lastTo(address);
    await eventually(async () => expect((await messagesOf(id)).at(-1).status).toBe('done'));
    await ok(hub.call('POST', '/v1.0/sandbox/inbound', { account_id: sms.id, from: phone, text: 'STOP' }));
    await mail({ from: '', raw: dsn(ownMark ?? '') });
    expect((await messagesOf(id)).find(({ text }) => text === 'by mail first').deliveries).toHaveLength(1);
  });

  test('of a mail that came back: the message is told as sent once', async () => {
    const { phone, address, id } = await both();
    await send(id, { text: 'told once' });
    const { ownMark } = await lastTo(address);
    await eventually(async () => expect((await messagesOf(id)).at(-1).status).toBe('done'));
    await eventually(async () => expect(await told()).toBe(1));
    await mail({ from: '', raw: dsn(ownMark ?? '') });
    await eventually(async () => expect(await outboxOf(phone)).toEqual(['told once']));
    await eventually(async () => expect((await messagesOf(id)).at(-1).status).toBe('done'));
    async function told(text = 'told once') {
      const { result } = await ok(hub.call('GET', '/v1.0/events?after=0&page_size=100'));
      return result.filter(
        (event: Json) => event.type === 'conversation_message_sent' && JSON.stringify(event).includes(text),
      ).length;
    }
    await send(id, { text: 'and after it', channel: 'email' });
    await eventually(async () => expect(await told('and after it')).toBe(1));
    expect(await told()).toBe(1);
  });

  test('that waits is not sent any more when the first one turns out to have been delivered', async () => {
    const { phone, address, id } = await both();
    await send(id, { text: 'delivered after all' });
    const { ownMark } = await lastTo(address);
    await eventually(async () => expect((await messagesOf(id)).at(-1).status).toBe('done'));
    faults.queueLoses = true;
    await mail({ from: '', raw: dsn(ownMark ?? '') });
    await mail({
      from: '',
      raw: dsn(ownMark ?? '')
        .replace('Action: failed', 'Action: delivered')
        .replace('Status: 5.1.1', 'Status: 2.0.0'),
    });
    expect((await messagesOf(id)).at(-1).deliveries).toMatchObject([
      { status: 'delivered' },
      { status: 'failed', error: { code: 'NOT_NEEDED' } },
    ]);
    expect(await outboxOf(phone)).toEqual([]);
  });

  test('of a stopped activeflow’s message does not go', async () => {
    const address = newAddress();
    const flow = await ok(
      hub.call('POST', '/v1.0/flows', {
        name: 'f',
        actions: [
          { type: 'conversation_send', option: { text: 'of the flow' } },
          { type: 'sleep', option: { duration: 3_600_000 } },
        ],
      }),
    );
    await newMailbox(address, { message_flow_id: flow.id, fallback: true });
    const { address: from, id } = await both();
    await mail({ from, to: address, text: 'start' });
    const { ownMark } = await eventually(async () => {
      const last = await lastTo(from);
      expect(last.text).toBe('of the flow');
      return last;
    });
    const { result } = await ok(hub.call('GET', `/v1.0/activeflows?reference_id=${id}`));
    await ok(hub.call('POST', `/v1.0/activeflows/${result[0].id}/stop`));
    await mail({ from: '', to: address, raw: dsn(ownMark ?? '') });
    expect((await messagesOf(id)).find(({ text }) => text === 'of the flow').deliveries).toHaveLength(1);
  });
});
