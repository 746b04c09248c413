import { evictDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { Webhook } from 'standardwebhooks';
import { beforeAll, describe, expect, test } from 'vitest';
import { eventually, inbound, newHub, newSandbox, ok, type Hub, type Json } from '../support/hub.ts';
import { listen, type Receiver } from '../support/receiver-worker.ts';

let hub: Hub;

beforeAll(async () => {
  hub = await newHub();
});

/** An assistant whose webhook is `answer`, on an account of its own. */
interface Staffed {
  assistant: Json;
  account: Json;
  receiver: Receiver;
  /** Every request that it was asked, those that failed too. */
  asked: Json[];
}

type Answer = (body: Json) => Response | Promise<Response>;

async function staff(answer: Answer, settings: Json = {}): Promise<Staffed> {
  const asked: Json[] = [];
  const receiver = listen((_, body) => {
    asked.push(body);
    return answer(body);
  });
  const assistant = await ok(
    hub.call('POST', '/v1.0/assistants', { name: 'Ada', webhook_url: receiver.url, debounce_ms: 0, ...settings }),
  );
  const account = await newSandbox(hub);
  await ok(hub.call('PUT', `/v1.0/conversation_accounts/${account.id}`, { assistant_id: assistant.id }));
  return { assistant, account, receiver, asked };
}

let contacts = 0;
const nextContact = (): string => `+15557200${String((contacts += 1)).padStart(3, '0')}`;
const says = async ({ account }: Staffed, contact: string, text: string): Promise<string> =>
  (await inbound(hub, account.id, contact, text)).conversation_id;
const read = (id: string): Promise<Json> => ok(hub.call('GET', `/v1.0/conversations/${id}`));
const put = (id: string, body: Json): Promise<Json> => ok(hub.call('PUT', `/v1.0/conversations/${id}`, body));
const textsOf = async (id: string): Promise<string[]> =>
  (await ok(hub.call('GET', `/v1.0/conversations/${id}/messages`))).result.map(({ text }: Json) => text).toReversed();
const says200 =
  (text: string): Answer =>
  () =>
    Response.json({ text });

describe('an assistant', () => {
  test('is asked with the new message and what was said before, signed, and its text goes out in its name', async () => {
    const staffed = await staff((body) => Response.json({ text: `You said ${body.data.messages[0].text}` }));
    const contact = nextContact();
    const id = await says(staffed, contact, 'one');
    await eventually(async () => expect(await textsOf(id)).toEqual(['one', 'You said one']));
    await says(staffed, contact, 'two');
    await eventually(async () => expect(await textsOf(id)).toEqual(['one', 'You said one', 'two', 'You said two']));

    const [, second] = staffed.asked;
    expect(second).toMatchObject({
      type: 'assistant_turn',
      data: { conversation: { id, ai_mode: 'ai', mode_epoch: 0 }, turn_id: expect.any(String) },
    });
    expect(second.data.messages.map(({ text }: Json) => text)).toEqual(['two']);
    expect(second.data.history.map(({ text }: Json) => text)).toEqual(['one', 'You said one']);
    const { headers, text } = staffed.receiver.received[0] ?? { headers: new Headers(), text: '' };
    new Webhook(staffed.assistant.webhook_secret).verify(text, Object.fromEntries(headers));

    const { result } = await ok(hub.call('GET', `/v1.0/conversations/${id}/messages`));
    expect(result[0]).toMatchObject({ sender: { type: 'assistant', id: staffed.assistant.id, name: 'Ada' } });
    await eventually(async () => {
      const phone = await ok(hub.call('GET', `/v1.0/sandbox/outbox?account_id=${staffed.account.id}`));
      expect(phone.result.map((message: Json) => message.text)).toEqual(['You said two', 'You said one']);
    });
    expect(await read(id)).toMatchObject({ ai_mode: 'ai' });
  });

  test('answers several messages in a row once, and has seen them all; also when its object was evicted meanwhile', async () => {
    const staffed = await staff(
      (body) => Response.json({ text: body.data.messages.map((m: Json) => m.text).join('+') }),
      {
        debounce_ms: 400,
      },
    );
    const contact = nextContact();
    const id = await says(staffed, contact, 'a');
    for (const text of ['b', 'c']) await says(staffed, contact, text);
    await evictDurableObject(env.CONVERSATION.getByName(id));
    for (const text of ['d', 'e']) await says(staffed, contact, text);
    await eventually(async () => expect((await textsOf(id)).at(-1)).toBe('a+b+c+d+e'));
    expect(staffed.asked).toHaveLength(1);
  });

  test('that is asked while it answers is asked again for what it has not seen, and for that alone', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const staffed = await staff(async (body) => {
      if (body.data.messages[0].text === 'first') await held;
      return Response.json({ text: body.data.messages.map((m: Json) => m.text).join('+') });
    });
    const contact = nextContact();
    const id = await says(staffed, contact, 'first');
    await eventually(() => expect(staffed.asked).toHaveLength(1));
    await says(staffed, contact, 'second');
    await says(staffed, contact, 'third');
    release();
    await eventually(async () => expect((await textsOf(id)).at(-1)).toBe('second+third'));
    expect((await textsOf(id)).toSorted()).toEqual(['first', 'first', 'second', 'second+third', 'third']);
    expect(staffed.asked).toHaveLength(2);
  });

  test.each([
    ['an empty body', () => new Response('')],
    ['204', () => new Response(null, { status: 204 })],
    ['{}', () => Response.json({})],
    ['an empty text', () => Response.json({ text: '  ' })],
  ])('says nothing with %s, and stays in charge', async (_, answer) => {
    const staffed = await staff(answer);
    const contact = nextContact();
    const id = await says(staffed, contact, 'hm');
    await eventually(() => expect(staffed.receiver.received).toHaveLength(1));
    await says(staffed, contact, 'and now?');
    await eventually(() => expect(staffed.receiver.received).toHaveLength(2));
    expect(await textsOf(id)).toEqual(['hm', 'and now?']);
    expect(await read(id)).toMatchObject({ ai_mode: 'ai' });
  });

  test('hands over to people, with a last word, and is not asked again until it is given back', async () => {
    const staffed = await staff(() => Response.json({ text: 'A person will help you.', handoff: true }));
    const contact = nextContact();
    const id = await says(staffed, contact, 'a person, please');
    await eventually(async () => expect(await read(id)).toMatchObject({ ai_mode: 'human' }));
    expect(await textsOf(id)).toEqual(['a person, please', 'A person will help you.']);
    await eventually(async () => {
      const { result } = await ok(hub.call('GET', `/v1.0/conversations/${id}/messages`));
      expect(result[0]).toMatchObject({ status: 'done' });
    });
    const { result } = await ok(hub.call('GET', `/v1.0/conversations/${id}/mode_history`));
    expect(result).toMatchObject([{ reason: 'handoff', actor: { type: 'assistant', id: staffed.assistant.id } }]);
    await says(staffed, contact, 'hello?');
    await put(id, { ai_mode: 'ai' });
    await says(staffed, contact, 'back to you');
    await eventually(() => expect(staffed.asked).toHaveLength(2));
    expect(staffed.asked[1].data.messages.map(({ text }: Json) => text)).toEqual(['back to you']);
  });
});

describe('an assistant that fails', () => {
  const MEGABYTES = 'x'.repeat(1024 * 1024);
  test.each<[string, Answer]>([
    ['HTML', () => new Response('<html><body>Hello</body></html>', { headers: { 'content-type': 'text/html' } })],
    ['10 MB', () => new Response(JSON.stringify({ text: MEGABYTES.repeat(10) }))],
    ['a text that no channel takes', says200('x'.repeat(5000))],
    ['a 500', () => new Response('oops', { status: 500 })],
    ['a redirect', () => new Response(null, { status: 302, headers: { location: 'https://example.com' } })],
    ['a text that is no text', () => Response.json({ text: 42 })],
    ['a broken connection', () => Promise.reject(new TypeError('Network connection lost.'))],
    ['nothing in time', () => new Promise<Response>(() => undefined)],
  ])('with %s is asked again, and in the end people take over, visibly', async (_, answer) => {
    const staffed = await staff(answer, { max_failures: 2, timeout_ms: 200 });
    const id = await says(staffed, nextContact(), 'help');
    await eventually(async () => expect(await read(id)).toMatchObject({ ai_mode: 'human' }));
    expect(staffed.asked).toHaveLength(2);
    expect(await textsOf(id)).toEqual(['help']);
    const { result } = await ok(hub.call('GET', `/v1.0/conversations/${id}/mode_history`));
    expect(result).toMatchObject([{ reason: 'assistant_failed', from_mode: 'ai', to_mode: 'human' }]);
  });

  test('and then answers is in charge again: the failures before are forgiven', async () => {
    let failures = 1;
    const staffed = await staff(() => {
      failures -= 1;
      return failures >= 0 ? new Response('oops', { status: 503 }) : Response.json({ text: 'there I am' });
    });
    const id = await says(staffed, nextContact(), 'help');
    await eventually(async () => expect(await textsOf(id)).toEqual(['help', 'there I am']));
    expect(await read(id)).toMatchObject({ ai_mode: 'ai' });
  });

  test('because it was deleted leaves its conversations to people at once', async () => {
    const staffed = await staff(says200('never'));
    await ok(hub.call('DELETE', `/v1.0/assistants/${staffed.assistant.id}`));
    const id = await says(staffed, nextContact(), 'help');
    await eventually(async () => expect(await read(id)).toMatchObject({ ai_mode: 'human' }));
    expect(staffed.asked).toEqual([]);
  });
});

describe('people', () => {
  test('who take over while it thinks are not talked over: its answer is refused and never sent', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const staffed = await staff(async () => {
      await held;
      return Response.json({ text: 'too late' });
    });
    const id = await says(staffed, nextContact(), 'help');
    await eventually(() => expect(staffed.asked).toHaveLength(1));
    await put(id, { ai_mode: 'human' });
    release();
    await eventually(() => expect(staffed.receiver.received).toHaveLength(1));
    await ok(hub.call('POST', `/v1.0/conversations/${id}/messages`, { text: 'a person' }));
    await eventually(async () => {
      const phone = await ok(hub.call('GET', `/v1.0/sandbox/outbox?account_id=${staffed.account.id}`));
      expect(phone.result.map(({ text }: Json) => text)).toEqual(['a person']);
    });
    expect(await textsOf(id)).toEqual(['help', 'a person']);
  });

  test('who take over after it has handed over are not talked over by what it had said before', async () => {
    const staffed = await staff(() => Response.json({ text: 'A person will help you.', handoff: true }));
    await ok(
      hub.call('POST', '/v1.0/sandbox/faults', {
        account_id: staffed.account.id,
        count: 1000,
        kind: 'throttle',
        retry_after: 3600,
      }),
    );
    const id = await says(staffed, nextContact(), 'a person, please');
    await eventually(async () => expect(await read(id)).toMatchObject({ ai_mode: 'human', mode_epoch: 1 }));
    // By hand the mode is `human` already: nothing changes, and no event tells of it.
    const before = await read(id);
    expect(await put(id, { ai_mode: 'human' })).toEqual(before);
    await put(id, { owner_id: hub.adminId });
    expect(await read(id)).toMatchObject({ ai_mode: 'human', mode_epoch: 2 });
    const { result } = await ok(hub.call('GET', `/v1.0/conversations/${id}/messages`));
    expect(result[0]).toMatchObject({
      text: 'A person will help you.',
      status: 'failed',
      deliveries: [{ error: { code: 'MODE_CHANGED' } }],
    });
  });

  test('are left alone by one that is to answer what was taken back', async () => {
    const staffed = await staff(says200('what?'), { debounce_ms: 1000 });
    const contact = nextContact();
    const landed = await inbound(hub, staffed.account.id, contact, 'regretted');
    await ok(hub.call('DELETE', `/v1.0/conversations/${landed.conversation_id}/messages/${landed.message_id}`));
    const other = await says(staffed, nextContact(), 'meant');
    await eventually(async () => expect(await textsOf(other)).toEqual(['meant', 'what?']));
    expect(staffed.asked).toHaveLength(1);
    expect(await read(landed.conversation_id)).toMatchObject({ ai_mode: 'ai' });
  });

  test('who own a conversation, or took its mode, get its messages without the assistant', async () => {
    const staffed = await staff(says200('hi'), { debounce_ms: 60_000 });
    const contact = nextContact();
    // The first message's turn waits for the contact to pause; a takeover ends it.
    const id = await says(staffed, contact, 'help');
    const pending = async () => {
      const { runInDurableObject } = await import('cloudflare:test');
      return runInDurableObject(env.CONVERSATION.getByName(id), (_, state) => {
        const [row] = state.storage.sql.exec<{ data: string }>('SELECT data FROM record').toArray();
        return JSON.parse(row?.data ?? '{}').pending.turns.length;
      });
    };
    expect(await pending()).toBe(1);
    await put(id, { owner_id: hub.adminId });
    expect(await pending()).toBe(0);
    await says(staffed, contact, 'anybody?');
    expect(await pending()).toBe(0);
    await put(id, { owner_id: '00000000-0000-0000-0000-000000000000' });
    expect(await pending()).toBe(0);
    await says(staffed, contact, 'hello?');
    expect(await pending()).toBe(1);
    await says(staffed, contact, 'STOP');
    expect(await pending()).toBe(0);
  });
});

test('an assistant’s settings: its secret is shown once, and bad ones are named', async () => {
  const made = await ok(hub.call('POST', '/v1.0/assistants', { webhook_url: 'https://example.com/ask' }));
  expect(made).toMatchObject({ debounce_ms: 1500, timeout_ms: 10_000, max_failures: 3, history: 20 });
  expect(made.webhook_secret).toMatch(/^whsec_/);
  const { webhook_secret: _, ...shown } = made;
  expect(await ok(hub.call('GET', `/v1.0/assistants/${made.id}`))).toEqual(shown);
  const renamed = await ok(hub.call('PUT', `/v1.0/assistants/${made.id}`, { name: 'Bob', debounce_ms: 0 }));
  expect(renamed).toMatchObject({ name: 'Bob', debounce_ms: 0, webhook_url: 'https://example.com/ask' });
  expect((await ok(hub.call('GET', '/v1.0/assistants'))).result[0]).toEqual(renamed);
  const url = 'https://example.com/ask';
  for (const [field, body] of [
    ['webhook_url', {}],
    ['webhook_url', { webhook_url: 'ftp://example.com' }],
    ['timeout_ms', { webhook_url: url, timeout_ms: 0 }],
    ['max_failures', { webhook_url: url, max_failures: 0 }],
    ['webhook_secret', { webhook_url: url, webhook_secret: 'short' }],
  ] as const) {
    const refused = await hub.call('POST', '/v1.0/assistants', body);
    expect(refused, field).toMatchObject({
      status: 400,
      body: { error: { details: { [field]: expect.any(String) } } },
    });
  }
});
