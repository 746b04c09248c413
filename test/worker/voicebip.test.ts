import { evictDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, test } from 'vitest';
import * as seed from '../fixtures/seed-003.ts';
import { eventually, inbound, newHub, newSandbox, ok, ORIGIN, type Hub, type Json } from '../support/hub.ts';
import { readSse } from '../support/live.ts';
import { newPeople } from '../support/people.ts';
import { likeExample } from '../support/seed-shape.ts';
import { readId, writeId } from '../../src/dialects/voicebip/ids.ts';
import { createApp } from '../../src/http/app.ts';

const OURS = '+15550100000';

let hub: Hub;
let account: Json;
let agentId: string;

beforeAll(async () => {
  hub = await newHub();
  ({ account, agentId } = await newLine(hub));
});

/** An agent whose webhook does not matter here: nobody listens there. */
const newAgent = (of: Hub, name: string): Promise<Json> =>
  ok(of.call('POST', '/v1/agents', { name, webhook_url: 'http://127.0.0.1:1/byom' }));

/** An account on which an agent answers. */
async function newLine(of: Hub): Promise<{ account: Json; agentId: string }> {
  const made = await newSandbox(of);
  const agent = await newAgent(of, 'Ada');
  await ok(of.call('PUT', `/v1.0/conversation_accounts/${made.id}`, { assistant_id: agent.agent_id }));
  return { account: made, agentId: agent.agent_id };
}

let contacts = 0;
const nextContact = (): string => `+15558100${String((contacts += 1)).padStart(3, '0')}`;

const says = async (contact: string, text: string): Promise<string> =>
  writeId('conv', (await inbound(hub, account.id, contact, text)).conversation_id);
const read = (id: string): Promise<Json> => ok(hub.call('GET', `/v1/conversations/${id}`));
const patch = (id: string, ai_mode: string): Promise<Json> =>
  ok(hub.call('PATCH', `/v1/conversations/${id}`, { ai_mode }));
const sms = (to_number: string, body: string) => ({
  agent_id: agentId,
  channel: 'sms',
  from_number: OURS,
  to_number,
  body,
});
const send = (body: Json, headers?: Record<string, string>) => hub.call('POST', '/v1/messages', body, headers);
const uuidOf = (id: string): string => readId('conv', id) ?? 'not an id';

test('the list of an agent that answers on several numbers is one list, newest first', async () => {
  const other = await newHub();
  const { account: line, agentId: agent } = await newLine(other);
  const lines = [line, await newSandbox(other)];
  await ok(other.call('PUT', `/v1.0/conversation_accounts/${lines[1].id}`, { assistant_id: agent }));
  const nobodys = await newSandbox(other);
  await inbound(other, nobodys.id, '+15558300000', 'hi');
  for (const last of [1, 2, 3, 4, 5]) await inbound(other, lines[last % 2].id, `+1555830000${last}`, 'hi');
  const page = (query: string): Promise<Json> =>
    ok(other.call('GET', `/v1/conversations?agent_id=${agent}&page_size=2${query}`));
  await eventually(async () =>
    expect((await ok(other.call('GET', '/v1/conversations'))).conversations).toHaveLength(6),
  );
  const numbers: string[] = [];
  for (let token: string | undefined = ''; token !== undefined;) {
    const { conversations, next_page_token }: Json = await page(token && `&page_token=${token}`);
    numbers.push(...conversations.map(({ to_number }: Json) => to_number));
    token = next_page_token;
  }
  expect(numbers).toEqual([5, 4, 3, 2, 1].map((last) => `+1555830000${last}`));
});

describe('the list', () => {
  test('has the shape of seed 003, and says what each conversation is', async () => {
    const contact = nextContact();
    const id = await says(contact, 'hello');
    const listed = await eventually(async () => {
      const found = await ok(hub.call('GET', '/v1/conversations?page_size=1'));
      expect(found.conversations[0]?.conversation_id).toBe(id);
      return found;
    });
    // A window is WhatsApp's alone, and the token of a last page is absent.
    const [{ window_expires_at: _, ...row }] = seed.list.conversations as [Json];
    likeExample(listed, { conversations: [row] });
    expect(listed.conversations[0]).toMatchObject({
      agent_id: agentId,
      channel: 'sms',
      from_number: OURS,
      to_number: contact,
      window_expires_at: null,
      opt_out: false,
    });
    expect(listed.conversations[0]).not.toHaveProperty('ai_mode');
  });

  test('is filtered and paged, and a token holds under its own filters only', async () => {
    const other = await newHub();
    const { account: line, agentId: agent } = await newLine(other);
    for (const last of [1, 2, 3]) await inbound(other, line.id, `+1555820000${last}`, 'hi');
    const page = (query: string): Promise<Json> => ok(other.call('GET', `/v1/conversations?${query}`));
    await eventually(async () => expect((await page('')).conversations).toHaveLength(3));

    const query = `agent_id=${agent}&channel=sms&page_size=2`;
    const first = await page(query);
    likeExample(first.next_page_token, seed.list.next_page_token);
    const second = await page(`${query}&page_token=${first.next_page_token}`);
    expect(second).not.toHaveProperty('next_page_token');
    const numbers = [...first.conversations, ...second.conversations].map((row: Json) => row.to_number);
    expect(numbers).toEqual(['+15558200003', '+15558200002', '+15558200001']);

    expect((await page('channel=whatsapp')).conversations).toEqual([]);
    expect((await page(`agent_id=${writeId('agt', crypto.randomUUID())}`)).conversations).toEqual([]);
    const misused = await other.call('GET', `/v1/conversations?page_token=${first.next_page_token}`);
    expect(misused).toMatchObject({
      status: 400,
      body: { error_code: 'INVALID_ARGUMENT', details: { page_token: expect.any(String) } },
    });
  });
});

test('one conversation has its messages newest first, by pages, with the mode', async () => {
  const contact = nextContact();
  for (const text of ['one', 'two', 'three']) await says(contact, text);
  const id = await says(contact, 'four');
  const shown = await ok(hub.call('GET', `/v1/conversations/${id}?page_size=3`));
  expect(shown).toMatchObject({ conversation_id: id, ai_mode: 'ai', window_expires_at: null });
  expect(shown.messages.map(({ body }: Json) => body)).toEqual(['four', 'three', 'two']);
  expect(shown.messages[0]).toMatchObject({
    conversation_id: id,
    direction: 'inbound',
    channel: 'sms',
    message_type: 'text',
    status: 'received',
    error: null,
  });
  const rest = await ok(hub.call('GET', `/v1/conversations/${id}?page_size=3&page_token=${shown.next_page_token}`));
  expect(rest.messages.map(({ body }: Json) => body)).toEqual(['one']);
});

describe('a change of mode', () => {
  test('says whether it changed anything, and is written down once, also after an eviction', async () => {
    const id = await says(nextContact(), 'hello');
    expect(await patch(id, 'human')).toMatchObject({ conversation_id: id, ai_mode: 'human', changed: true });
    expect(await patch(id, 'human')).toMatchObject({ ai_mode: 'human', changed: false });
    expect(await patch(id, 'ai')).toMatchObject({ ai_mode: 'ai', changed: true });
    await evictDurableObject(env.CONVERSATION.getByName(uuidOf(id)));
    const { mode_history: history } = await ok(hub.call('GET', `/v1/conversations/${id}/mode_history`));
    expect(history).toMatchObject([
      { actor_type: 'accesskey', from_mode: 'human', to_mode: 'ai' },
      { actor_type: 'accesskey', from_mode: 'ai', to_mode: 'human' },
    ]);
    likeExample(history[0], { actor_user_id: 'x', timestamp: '2026-05-15T10:15:00Z' });
  });

  test('to closed is the end: the next message opens another conversation, also when 20 come at once', async () => {
    const contact = nextContact();
    const first = await says(contact, 'hello');
    expect(await patch(first, 'closed')).toMatchObject({ ai_mode: 'closed', changed: true });
    expect(await patch(first, 'closed')).toMatchObject({ changed: false });
    expect(await hub.call('PATCH', `/v1/conversations/${first}`, { ai_mode: 'ai' })).toMatchObject({
      status: 409,
      body: { error_code: 'CONVERSATION_CLOSED' },
    });
    const texts = Array.from({ length: 20 }, (_, index) => `number ${index}`);
    const ids = new Set(await Promise.all(texts.map((text) => says(contact, text))));
    expect(ids.size).toBe(1);
    const [second = ''] = ids;
    expect(second).not.toBe(first);
    const { messages } = await read(second);
    expect(messages.map(({ body }: Json) => body).toSorted()).toEqual(texts.toSorted());
    expect((await read(first)).messages).toHaveLength(1);
  });
});

test('the stream takes ?token=, tells of messages and modes, and resumes where it was', async () => {
  const contact = nextContact();
  const id = await says(contact, 'hello');
  const open = (headers = {}) => readSse(`/v1/conversations/${id}/stream?token=${hub.accessKey}`, headers);
  const stream = await open({ 'last-event-id': '0' });
  const [received] = await stream.take(1);
  likeExample(received?.data, { event_type: 'x', timestamp: '2026-05-15T10:15:00Z', payload: { message_id: 'x' } });
  expect(received?.data).toMatchObject({
    event_type: 'message.received',
    conversation_id: id,
    payload: { direction: 'inbound', text: 'hello' },
  });
  // Caught up: the control frame is no message to `onmessage`, and has a name here.
  expect((await stream.take(1))[0]?.data).toMatchObject({ type: 'caught_up' });
  await patch(id, 'human');
  const [changed] = await stream.take(1);
  expect(changed?.data).toMatchObject({
    event_type: 'conversation.mode_changed',
    payload: { from_mode: 'ai', to_mode: 'human' },
  });
  await stream.cancel();

  await says(contact, 'still there?');
  const resumed = await open({ 'last-event-id': changed?.id ?? '' });
  expect((await resumed.take(1))[0]?.data).toMatchObject({
    event_type: 'message.received',
    payload: { text: 'still there?' },
  });
  await resumed.cancel();
});

describe('a message', () => {
  test('to somebody who never wrote opens a conversation, once also when ten go at the same time', async () => {
    const contact = nextContact();
    const sent = await Promise.all(Array.from({ length: 10 }, (_, index) => ok(send(sms(contact, `${index}`)))));
    expect(new Set(sent.map(({ conversation_id }) => conversation_id)).size).toBe(1);
    expect(sent[0]).toMatchObject({
      channel: 'sms',
      status: 'queued',
      from_number: OURS,
      to_number: contact,
      segments: 1,
    });
    const id = sent[0].conversation_id;
    expect(await says(contact, 'an answer')).toBe(id);
    expect((await read(id)).messages).toHaveLength(11);
  });

  test('goes out once under one idempotency key, and reaches the provider', async () => {
    const contact = nextContact();
    const once = () => ok(send(sms(contact, 'only once'), { 'idempotency-key': `key-of-${contact}` }));
    const [first, second] = [await once(), await once()];
    expect(second).toEqual(first);
    await eventually(async () => {
      const { messages } = await read(first.conversation_id);
      expect(messages).toMatchObject([{ body: 'only once', direction: 'outbound', status: 'sent' }]);
    });
  });

  test('goes out once under its key also when the conversation that took it is over', async () => {
    const contact = nextContact();
    const once = () => ok(send(sms(contact, 'only once'), { 'idempotency-key': `key-over-${contact}` }));
    const first = await once();
    await patch(first.conversation_id, 'closed');
    expect(await once()).toEqual(first);
    const second = await says(contact, 'hello again');
    expect(second).not.toBe(first.conversation_id);
    expect(await once()).toEqual(first);
    expect((await read(second)).messages).toHaveLength(1);
  });

  test('is answered under its key whatever has become of its conversation since, and another one is 409', async () => {
    const contact = nextContact();
    const headers = { 'idempotency-key': `key-long-over-${contact}` };
    const first = await ok(send(sms(contact, 'only once'), headers));
    await patch(first.conversation_id, 'closed');
    const second = await ok(send(sms(contact, 'two')));
    await patch(second.conversation_id, 'closed');
    const third = await ok(send(sms(contact, 'three')));
    expect(await ok(send(sms(contact, 'only once'), headers))).toEqual(first);
    await ok(hub.call('DELETE', `/v1.0/conversations/${uuidOf(first.conversation_id)}`));
    expect(await ok(send(sms(contact, 'only once'), headers))).toEqual(first);
    expect((await read(third.conversation_id)).messages).toHaveLength(1);
    const elsewhere = sms(nextContact(), 'only once');
    expect(await send(elsewhere, headers)).toMatchObject({ status: 409 });
    const { conversations } = await ok(hub.call('GET', '/v1/conversations?page_size=100'));
    expect(conversations.map(({ to_number }: Json) => to_number)).not.toContain(elsewhere.to_number);
  });

  test('under one key to two contacts at once goes to one of them', async () => {
    const headers = { 'idempotency-key': `key-raced-${nextContact()}` };
    const contacts = Array.from({ length: 8 }, nextContact);
    const answers = await Promise.all(contacts.map((contact) => send(sms(contact, 'one of you'), headers)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(7);
  });

  test('goes by the account that has the number now, also in a conversation that began by another one', async () => {
    const contact = nextContact();
    const number = '+15550109999';
    const agent = await ok(hub.call('POST', '/v1/agents', { webhook_url: 'https://nobody.example/byom' }));
    const newAccount = () =>
      newSandbox(hub, { assistant_id: readId('agt', agent.agent_id), provider_data: { provider: 'sandbox', number } });
    const gone = await newAccount();
    const { conversation_id: id } = await inbound(hub, gone.id, contact, 'hello');
    await ok(hub.call('DELETE', `/v1.0/conversation_accounts/${gone.id}`));
    const present = await newAccount();
    const message = { ...sms(contact, 'by the new one'), agent_id: agent.agent_id, from_number: number };
    expect(readId('conv', (await ok(send(message))).conversation_id)).toBe(id);
    const outbox = `/v1.0/sandbox/outbox?account_id=${present.id}`;
    await eventually(async () =>
      expect((await ok(hub.call('GET', outbox))).result).toMatchObject([{ to: contact, text: 'by the new one' }]),
    );
  });

  test('goes into a new conversation when the last one is closed', async () => {
    const contact = nextContact();
    const first = await says(contact, 'hello');
    await patch(first, 'closed');
    const { conversation_id: second } = await ok(send(sms(contact, 'we are back')));
    expect(second).not.toBe(first);
    expect((await read(first)).messages).toHaveLength(1);
  });

  test('may be a file with a caption', async () => {
    const file = { message_type: 'image', media_url: 'https://example.com/cat.jpg', media_caption: 'a cat' };
    const { conversation_id: id } = await ok(send({ ...sms(nextContact(), ''), ...file }));
    expect((await read(id)).messages[0]).toMatchObject({
      body: 'a cat',
      message_type: 'image',
      media: [{ url: 'https://example.com/cat.jpg' }],
    });
  });

  test('to a contact who said STOP is 422, also when a new conversation would begin', async () => {
    const contact = nextContact();
    const id = await says(contact, 'STOP');
    expect(await read(id)).toMatchObject({ opt_out: true });
    const refused = { status: 422, body: { error_code: 'CONTACT_OPTED_OUT', request_id: expect.any(String) } };
    expect(await send(sms(contact, 'news'))).toMatchObject(refused);
    await patch(id, 'closed');
    expect(await send(sms(contact, 'news'))).toMatchObject(refused);
    const { conversations } = await ok(hub.call('GET', '/v1/conversations?page_size=100'));
    expect(conversations.filter(({ to_number }: Json) => to_number === contact)).toHaveLength(1);
  });

  test('that makes no sense is 400 with its fields named, and leaves nothing', async () => {
    const good = sms(nextContact(), 'hello');
    const foreign = await newLine(await newHub());
    const idle = await newAgent(hub, 'Idle');
    const cat = 'https://example.com/cat.jpg';
    const cases: [Json, string][] = [
      [{ ...good, agent_id: 'agt_nonsense0' }, 'agent_id'],
      [{ ...good, agent_id: 'agt_1' }, 'agent_id'],
      [{ ...good, agent_id: writeId('agt', crypto.randomUUID()) }, 'agent_id'],
      [{ ...good, agent_id: foreign.agentId }, 'agent_id'],
      [{ ...good, agent_id: idle.agent_id }, 'from_number'],
      [{ ...good, from_number: '+15550100099' }, 'from_number'],
      [{ ...good, from_number: 'us' }, 'from_number'],
      [{ ...good, to_number: '12' }, 'to_number'],
      [{ ...good, channel: 'pigeon' }, 'channel'],
      [{ ...good, channel: 'whatsapp' }, 'from_number'],
      [{ ...good, body: '  ' }, 'body'],
      [{ ...good, body: 'x'.repeat(1601) }, 'body'],
      [{ ...good, message_type: 'image' }, 'media_url'],
      [{ ...good, message_type: 'image', media_url: 'file:///etc/passwd', body: '' }, 'media_url'],
      [{ ...good, media_url: cat }, 'message_type'],
      [{ ...good, media_url: cat, message_type: 'text', body: '' }, 'message_type'],
      [{ ...good, media_url: cat, message_type: 'image' }, 'body'],
      [{ ...good, media_url: cat, message_type: 'image', media_caption: 'a cat' }, 'body'],
      [{ ...good, media_caption: 'a cat' }, 'media_caption'],
      [{ ...good, media_url: cat, message_type: 'image', body: '', media_caption: 'x'.repeat(1601) }, 'media_caption'],
    ];
    for (const [body, field] of cases) {
      const { status, body: answer } = await send(body);
      expect({ status, code: answer.error_code, fields: Object.keys(answer.details ?? {}) }, field).toEqual({
        status: 400,
        code: 'INVALID_ARGUMENT',
        fields: [field],
      });
      expect(answer.message, field).toBe(`${field}: ${answer.details[field]}`);
    }
    const { conversations } = await ok(hub.call('GET', '/v1/conversations?page_size=100'));
    expect(conversations.map(({ to_number }: Json) => to_number)).not.toContain(good.to_number);
  });
});

test('an account takes its agent by the id that /v1/agents gives, and answers with the UUID', async () => {
  const { agent_id } = await newAgent(hub, 'Ada');
  const assistant_id = readId('agt', agent_id);
  const wanted = {
    type: 'sms',
    provider_data: { provider: 'sandbox', number: '+15550100001' },
    assistant_id: agent_id,
  };
  const made = await ok(hub.call('POST', '/v1.0/conversation_accounts', wanted));
  expect(made).toMatchObject({ assistant_id });
  const path = `/v1.0/conversation_accounts/${made.id}`;
  expect(await ok(hub.call('PUT', path, { assistant_id: agent_id }))).toMatchObject({ assistant_id });
  expect(await ok(hub.call('GET', path))).toMatchObject({ assistant_id });
  for (const wrong of ['agt_1', 'agt_nonsense0', writeId('agt', crypto.randomUUID())]) {
    expect(await hub.call('PUT', path, { assistant_id: wrong }), wrong).toMatchObject({
      status: 400,
      body: { error: { details: { assistant_id: expect.any(String) } } },
    });
  }
});

test('an agent’s name is kept as it can be stored, also with half a character in it', async () => {
  const body = '{"name":"Ada\\ud83d","webhook_url":"http://127.0.0.1:1/byom"}';
  const made = await ok(hub.call('POST', '/v1/agents', body));
  const { agents } = await ok(hub.call('GET', '/v1/agents?page_size=1'));
  // As JSON, which writes half a character as an escape: vitest cannot report it as it is.
  expect(JSON.stringify([made.name, agents[0].name])).toBe(JSON.stringify(['Ada\ufffd', 'Ada\ufffd']));
});

test('a deleted agent sends nothing, and is shown and found nowhere', async () => {
  const other = await newHub();
  const { account: line, agentId: agent } = await newLine(other);
  const id = writeId('conv', (await inbound(other, line.id, nextContact(), 'hello')).conversation_id);
  const list = async (query: string): Promise<Json[]> =>
    (await ok(other.call('GET', `/v1/conversations?${query}`))).conversations;
  await eventually(async () => expect(await list(`agent_id=${agent}`)).toMatchObject([{ agent_id: agent }]));

  await ok(other.call('DELETE', `/v1.0/assistants/${readId('agt', agent)}`));
  expect(await other.call('POST', '/v1/messages', { ...sms(nextContact(), 'hello'), agent_id: agent })).toMatchObject({
    status: 400,
    body: { message: 'agent_id: is not one of your agents', details: { agent_id: 'is not one of your agents' } },
  });
  expect(await list(`agent_id=${agent}`)).toEqual([]);
  expect(await list('')).toMatchObject([{ conversation_id: id, agent_id: null }]);
  expect(await ok(other.call('GET', `/v1/conversations/${id}`))).toMatchObject({ agent_id: null });
  expect(await ok(other.call('PATCH', `/v1/conversations/${id}`, { ai_mode: 'human' }))).toMatchObject({
    agent_id: null,
  });
});

test('half through /v1.0 and half through /v1 is one history on both', async () => {
  const contact = nextContact();
  const id = await says(contact, 'one');
  const uuid = uuidOf(id);
  await ok(hub.call('POST', `/v1.0/conversations/${uuid}/messages`, { text: 'two' }));
  await ok(send(sms(contact, 'three')));
  await says(contact, 'four');
  await patch(id, 'human');
  await ok(hub.call('PUT', `/v1.0/conversations/${uuid}`, { ai_mode: 'ai' }));

  const theirs = await read(id);
  const { result: ours } = await ok(hub.call('GET', `/v1.0/conversations/${uuid}/messages`));
  const seen = (rows: Json[], text: string, kind: Record<string, string>) =>
    rows.map((row) => [kind[row.direction], row[text]]).toReversed();
  const history = seen(theirs.messages, 'body', { inbound: 'in', outbound: 'out' });
  expect(history).toEqual([
    ['in', 'one'],
    ['out', 'two'],
    ['out', 'three'],
    ['in', 'four'],
  ]);
  expect(seen(ours, 'text', { incoming: 'in', outgoing: 'out' })).toEqual(history);
  expect(theirs.messages.map(({ message_id }: Json) => readId('msg', message_id))).toEqual(
    ours.map((row: Json) => row.id),
  );
  const { mode_history: changes } = await ok(hub.call('GET', `/v1/conversations/${id}/mode_history`));
  expect(changes.map(({ to_mode }: Json) => to_mode)).toEqual(['ai', 'human']);
});

describe('an error', () => {
  test('is flat, with Voicebip’s code, the request’s id and where to read on', async () => {
    const unknown = writeId('conv', crypto.randomUUID());
    const cases: [string, string, unknown, number, string][] = [
      ['GET', `/v1/conversations/${unknown}`, undefined, 404, 'NOT_FOUND'],
      ['GET', '/v1/conversations/conv_0', undefined, 400, 'INVALID_ARGUMENT'],
      ['GET', `/v1/conversations/${crypto.randomUUID()}`, undefined, 400, 'INVALID_ARGUMENT'],
      ['PATCH', `/v1/conversations/${unknown}`, { ai_mode: 'asleep' }, 400, 'INVALID_ARGUMENT'],
      ['PATCH', `/v1/conversations/${unknown}`, '{', 400, 'INVALID_ARGUMENT'],
      ['GET', '/v1/conversations?page_size=101', undefined, 400, 'INVALID_ARGUMENT'],
      ['GET', '/v1/conversations?page_token=eyJ', undefined, 400, 'INVALID_ARGUMENT'],
      ['GET', '/v1/conversations?agent_id=agt_1', undefined, 400, 'INVALID_ARGUMENT'],
      ['GET', '/v1/nothing', undefined, 404, 'NOT_FOUND'],
      ['GET', '/v1', undefined, 404, 'NOT_FOUND'],
      ['GET', '/v1/', undefined, 404, 'NOT_FOUND'],
    ];
    for (const [method, path, body, status, error_code] of cases) {
      const answer = await hub.call(method, path, body);
      expect(answer, `${method} ${path}`).toEqual({
        status,
        headers: answer.headers,
        body: expect.objectContaining({
          error_code,
          message: expect.any(String),
          request_id: answer.headers.get('x-request-id'),
          documentation_url: expect.stringMatching(/\/docs$/),
        }),
      });
    }
    expect(await hub.as('pk_live_wrong')('GET', '/v1/conversations')).toMatchObject({
      status: 401,
      body: { error_code: 'UNAUTHENTICATED' },
    });
  });

  test('says where to read on at the address that the world knows', async () => {
    const documented = async (vars: Partial<Env>): Promise<string> => {
      const answer = await createApp().request(`${ORIGIN}/v1/conversations`, {}, { ...env, ...vars });
      return (await answer.json<Json>()).documentation_url;
    };
    expect(await documented({})).toBe(`${ORIGIN}/docs`);
    expect(await documented({ PUBLIC_URL: 'https://hub.example/' })).toBe('https://hub.example/docs');
    expect(await documented({ PUBLIC_URL: 'nonsense' })).toBe(`${ORIGIN}/docs`);
  });

  test('is what an agent without a manager’s permission gets', async () => {
    const [person] = await newPeople(hub, ['Person']);
    expect(await person?.call('GET', '/v1/conversations')).toMatchObject({
      status: 403,
      body: { error_code: 'PERMISSION_DENIED' },
    });
  });
});
