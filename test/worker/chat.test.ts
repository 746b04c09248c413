import { evictDurableObject, runDurableObjectAlarm } from 'cloudflare:test';
import { env, exports } from 'cloudflare:workers';
import { SignJWT } from 'jose';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { readMail } from '../../src/channels/email/read-mail.ts';
import { outbox } from '../support/faults.ts';
import { callWith, eventually, inbound, newHub, newSandbox, ok, ORIGIN, type Hub, type Json } from '../support/hub.ts';
import { openSocket } from '../support/live.ts';
import { bringMail, newSender } from '../support/mails.ts';

const SITE = 'https://shop.example';
const SECRET = 'a-secret-of-the-site-with-32-letters';

let hub: Hub;
let account: Json;

const newChat = (of: Hub, parts: Json = {}): Promise<Json> =>
  ok(
    of.call('POST', '/v1.0/conversation_accounts', {
      type: 'chat',
      name: 'Shop',
      secret: SECRET,
      provider_data: { allowed_origins: [SITE] },
      ...parts,
    }),
  );

beforeAll(async () => {
  hub = await newHub();
  account = await newChat(hub);
});

const session = (body: Json = {}, headers: Json = {}) =>
  callWith(null)('POST', `/chat/${account.id}/sessions`, body, { origin: SITE, ...headers });

/** Somebody in the widget. */
async function visitor(body: Json = {}) {
  const { visitor_token: token, conversation_id } = await ok(session(body));
  const call = callWith(token);
  return {
    token,
    conversation_id,
    call,
    say: (text: string, client_id = crypto.randomUUID()) =>
      ok(call('POST', `/chat/${account.id}/messages`, { text, client_id })),
    sees: async (): Promise<string[]> => {
      const { result } = await ok(call('GET', `/chat/${account.id}/messages`));
      return result.map(({ text }: Json) => text).toReversed();
    },
    listen: (after?: number) =>
      openSocket(`/chat/${account.id}/ws${after === undefined ? '' : `?after=${after}`}`, {
        origin: SITE,
        'sec-websocket-protocol': `visitor.${token}, parley.v1`,
      }),
  };
}

const answer = (id: string, body: Json): Promise<Json> =>
  ok(hub.call('POST', `/v1.0/conversations/${id}/messages`, typeof body === 'string' ? { text: body } : body));

const messageOf = (conversation: string, id: string): Promise<Json> =>
  ok(hub.call('GET', `/v1.0/conversations/${conversation}/messages/${id}`));

/** Over pages of two. */
async function everyMessage(conversation: string): Promise<Json[]> {
  const rows: Json[] = [];
  for (let token = ''; ;) {
    const path = `/v1.0/conversations/${conversation}/messages?page_size=2&page_token=${encodeURIComponent(token)}`;
    const page = await ok(hub.call('GET', path));
    rows.push(...page.result);
    if (page.next_page_token === '') return rows;
    token = page.next_page_token;
  }
}

const vouch = (claims: Json, secret = SECRET, life = '5m'): Promise<string> =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime(life)
    .sign(new TextEncoder().encode(secret));

describe('a visitor', () => {
  test('writes, is answered live, and finds the history when it comes back', async () => {
    const ada = await visitor({ name: 'Ada' });
    const first = await ada.say('Where is my order?');
    expect(first).toMatchObject({
      conversation_id: ada.conversation_id,
      direction: 'incoming',
      text: 'Where is my order?',
      sender: { type: 'visitor' },
      client_id: expect.any(String),
      is_read: false,
    });
    const conversation = await ok(hub.call('GET', `/v1.0/conversations/${ada.conversation_id}`));
    expect(conversation).toMatchObject({
      type: 'chat',
      name: 'Chat · Ada',
      account_id: account.id,
      self: { type: 'chat', target: account.id },
      peer: { type: 'chat', target_name: 'Ada' },
      participants: [{ name: 'Ada', type: 'chat' }],
    });
    const socket = await ada.listen(first.sequence);
    expect(socket.protocol).toBe('parley.v1');
    expect(await socket.next()).toMatchObject({ type: 'caught_up' });
    const sent = await answer(ada.conversation_id, 'On Friday.');
    expect(sent).toMatchObject({ status: 'done', deliveries: [{ channel: 'chat', status: 'sent' }] });
    const frame = await eventually(async () => {
      const next = await socket.next();
      expect(next.type).toBe('message');
      return next;
    });
    expect(frame.data).toMatchObject({ text: 'On Friday.', direction: 'outgoing', sender: { type: 'automatic' } });
    expect(JSON.stringify(socket.frames)).not.toContain(hub.customerId);

    const back = await visitor({ visitor_token: ada.token });
    expect(back.conversation_id).toBe(ada.conversation_id);
    expect(await back.sees()).toEqual(['Where is my order?', 'On Friday.']);
  });

  test('is one message however often it is sent, and one conversation however many at once', async () => {
    const ada = await visitor();
    const said = await Promise.all(Array.from({ length: 20 }, (_, index) => ada.say(`m${index % 5}`, `k${index % 5}`)));
    expect(new Set(said.map(({ id }) => id)).size).toBe(5);
    expect(new Set(said.map(({ conversation_id }) => conversation_id)).size).toBe(1);
    expect((await ada.sees()).toSorted()).toEqual(['m0', 'm1', 'm2', 'm3', 'm4']);
  });

  test('says what has arrived and what was read, also to an object that was away', async () => {
    const ada = await visitor();
    const { sequence } = await ada.say('hello');
    const sent = await answer(ada.conversation_id, 'hi');
    const socket = await ada.listen(sequence);
    await socket.take(2);
    await evictDurableObject(env.CONVERSATION.getByName(ada.conversation_id));
    socket.send(JSON.stringify({ type: 'ack', sequence: sent.sequence }));
    const statusOf = async () => (await messageOf(ada.conversation_id, sent.id)).deliveries[0].status;
    await eventually(async () => expect(await statusOf()).toBe('delivered'));
    socket.send(JSON.stringify({ type: 'read', sequence: sent.sequence }));
    await eventually(async () => expect(await statusOf()).toBe('read'));
    const { result } = await ok(ada.call('GET', `/chat/${account.id}/messages`));
    expect(result[0]).toMatchObject({ text: 'hi', is_read: true });
  });

  test('may wait for an answer before it has written, and is told when the conversation ends', async () => {
    const ada = await visitor();
    const socket = await ada.listen(0);
    expect(await socket.next()).toEqual({ type: 'caught_up', sequence: 0 });
    expect(await ada.sees()).toEqual([]);
    await ada.say('hello');
    const types = async () => {
      await eventually(async () => expect((await socket.next()).type).toBe('message'));
      return socket.frames.map(({ type }) => type);
    };
    expect(await types()).toEqual(['caught_up', 'skip', 'message']);
    await ok(hub.call('PUT', `/v1.0/conversations/${ada.conversation_id}`, { ai_mode: 'closed' }));
    expect(await socket.next()).toMatchObject({ type: 'closed' });
    const next = await ada.say('one more thing');
    expect(next.conversation_id).not.toBe(ada.conversation_id);
  });

  test('typing is told to the other side and to nobody else', async () => {
    const ada = await visitor();
    await ada.say('hello');
    const authorization = `Bearer ${hub.accessKey}`;
    const agent = await openSocket(`/v1.0/conversations/${ada.conversation_id}/ws`, { authorization });
    const socket = await ada.listen();
    await Promise.all([agent.next(), socket.next()]);
    socket.send(JSON.stringify({ type: 'typing', is_typing: true }));
    expect(await agent.next()).toMatchObject({
      type: 'typing',
      data: { is_typing: true, sender: { type: 'contact' } },
    });
    agent.send(JSON.stringify({ type: 'typing', is_typing: true }));
    expect(await socket.next()).toEqual({ type: 'typing', data: { is_typing: true, name: '' } });
  });
});

describe('a visitor who has left', () => {
  /** As if nobody had looked for so long. */
  async function wait(id: string, ms: number): Promise<void> {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms });
    await runDurableObjectAlarm(env.CONVERSATION.getByName(id));
    vi.useRealTimers();
  }
  const mailsTo = (address: string) => outbox.filter(({ to }) => to === address);

  test('gets the answer by e-mail, and its own answer to that comes back here, where a stranger in the chat sees nothing of it', async () => {
    const own = `chat-${crypto.randomUUID().slice(0, 8)}@shop.example`;
    await ok(hub.call('POST', '/v1.0/conversation_accounts', { type: 'email', provider_data: { address: own } }));
    const address = newSender();
    const ada = await visitor({ name: 'Ada', email: address });
    await ada.say('Where is my order?');
    const sent = await answer(ada.conversation_id, 'On Friday.');
    expect(sent).toMatchObject({ status: 'done', deliveries: [{ channel: 'chat' }] });
    await wait(ada.conversation_id, 30_000);
    expect(mailsTo(address)).toEqual([]);
    await evictDurableObject(env.CONVERSATION.getByName(ada.conversation_id));
    await wait(ada.conversation_id, 61_000);
    await eventually(() => expect(mailsTo(address)).toHaveLength(1));
    await eventually(async () =>
      expect(await messageOf(ada.conversation_id, sent.id)).toMatchObject({
        status: 'done',
        deliveries: [
          { channel: 'chat', status: 'sent' },
          { channel: 'email', status: 'sent', target: address, fallback_for: sent.deliveries[0].id },
        ],
      }),
    );
    await wait(ada.conversation_id, 600_000);
    expect(mailsTo(address)).toHaveLength(1);

    const replyTo = /^Reply-To: *<?([^<>\r\n]+)>?/im.exec(mailsTo(address)[0]?.raw ?? '')?.[1] ?? '';
    await bringMail(env, { from: address, to: replyTo, text: 'Thanks, my number is 555' });
    const { result } = await ok(hub.call('GET', `/v1.0/conversations/${ada.conversation_id}/messages`));
    expect(result[0]).toMatchObject({ text: 'Thanks, my number is 555', source: { type: 'email' } });
    await answer(ada.conversation_id, 'Noted: 555');
    await eventually(() => expect(mailsTo(address)).toHaveLength(2));
    // Who typed the address may be somebody else than who reads its mail.
    expect(await ada.sees()).toEqual(['Where is my order?', 'On Friday.']);
  });

  test('gets none where it was seen to have it, or where no address is known', async () => {
    const address = newSender();
    const ada = await visitor({ email: address });
    const { sequence } = await ada.say('hello');
    const sent = await answer(ada.conversation_id, 'hi');
    const socket = await ada.listen(sequence);
    socket.send(JSON.stringify({ type: 'ack', sequence: sent.sequence }));
    await eventually(async () =>
      expect((await messageOf(ada.conversation_id, sent.id)).deliveries[0].status).toBe('delivered'),
    );
    await wait(ada.conversation_id, 61_000);
    expect(mailsTo(address)).toEqual([]);
    const nobody = await visitor();
    await nobody.say('hello');
    await answer(nobody.conversation_id, 'hi');
    await wait(nobody.conversation_id, 61_000);
    const { result } = await ok(hub.call('GET', `/v1.0/conversations/${nobody.conversation_id}/messages`));
    expect(result[0].deliveries).toHaveLength(1);
  });
});

describe('what a visitor has only typed', () => {
  test('shows it nothing of whom it names, joins it with nobody, and is shown as unverified', async () => {
    const mail = 'victim@company.example';
    const known = await ok(
      hub.call('POST', '/v1.0/conversations', {
        participants: [
          {
            name: 'Victim',
            addresses: [
              { type: 'chat', target: 'other' },
              { type: 'email', target: mail },
            ],
          },
        ],
      }),
    );
    await answer(known.id, 'your secret order');
    const stranger = await visitor({ name: 'Stranger', email: mail.toUpperCase() });
    await stranger.say('hello');
    expect(stranger.conversation_id).not.toBe(known.id);
    expect(await stranger.sees()).toEqual(['hello']);
    const { participants } = await ok(hub.call('GET', `/v1.0/conversations/${stranger.conversation_id}`));
    expect(participants).toMatchObject([{ type: 'chat', unverified: [{ type: 'email', target: mail }] }]);
    expect(participants[0].addresses).toHaveLength(1);
    expect(participants[0].contact_id).not.toBe(known.participants[0].contact_id);
    await answer(known.id, 'another secret');
    expect(await stranger.sees()).toEqual(['hello']);
  });
});

describe('an identity token of the site', () => {
  test('joins the histories: what the contact had elsewhere, and what it wrote here before', async () => {
    const sms = await newSandbox(hub, { provider_data: { provider: 'sandbox', number: '+15550100077' } });
    const phone = '+15559990001';
    const { conversation_id: known } = await inbound(hub, sms.id, phone, 'by text message');
    const ada = await visitor({ name: 'Ada' });
    await ada.say('who am I?');
    const socket = await ada.listen();
    const identity_token = await vouch({ phone_number: phone, name: 'Ada Lovelace' });
    const proved = await ok(session({ visitor_token: ada.token, identity_token }));
    expect(proved).toMatchObject({ conversation_id: known, name: 'Ada Lovelace', is_verified: true });
    // Whoever still listens in the old place is sent to look again.
    expect(await socket.closed).toBe(4001);
    const now = await visitor({ visitor_token: proved.visitor_token });
    expect(await now.sees()).toEqual(['by text message', 'who am I?']);
    await now.say('by chat');
    await answer(known, { text: 'to your phone', channel: 'sms' });
    await answer(known, 'to the chat');
    expect(await now.sees()).toEqual(['by text message', 'who am I?', 'by chat', 'to your phone', 'to the chat']);
    const { result } = await ok(hub.call('GET', `/v1.0/conversations/${known}/messages?page_size=2`));
    expect(result).toHaveLength(2);
    const texts = (await everyMessage(known)).map(({ text }) => text);
    expect(texts.toReversed()).toEqual(await now.sees());
    const { participants } = await ok(hub.call('GET', `/v1.0/conversations/${known}`));
    expect(participants).toHaveLength(1);
    expect(participants[0].addresses.map(({ type }: Json) => type)).toEqual(['tel', 'chat']);
    expect(await ok(hub.call('GET', `/v1.0/conversations/${ada.conversation_id}`))).toMatchObject({
      state: 'closed',
      merged_into: known,
    });
    // The old token is of the same visitor: what it says comes to the same place.
    expect((await ada.say('still me')).conversation_id).toBe(known);
  });

  test('is refused when it is of another secret, has no end, no address, or is over', async () => {
    const forever = await new SignJWT({ email: 'a@b.example' })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(SECRET));
    const bad = [
      await vouch({ email: 'a@b.example' }, 'another-secret-that-has-32-letters!'),
      await vouch({ name: 'nobody' }),
      await vouch({ email: 'a@b.example' }, SECRET, '-1m'),
      await vouch({ email: 'no address' }),
      forever,
      'nonsense',
    ];
    for (const identity_token of bad) {
      const { status, body } = await session({ identity_token });
      expect({ status, field: Object.keys(body.error.details) }).toEqual({ status: 400, field: ['identity_token'] });
    }
  });
});

describe('a mailed link', () => {
  const opened = (path: string, method: string) =>
    exports.default.fetch(`${ORIGIN}${path}`, { method, redirect: 'manual' });

  test('makes the visitor the contact of that address, when its button is pressed and not when it is opened', async () => {
    const own = `proof-${crypto.randomUUID().slice(0, 8)}@shop.example`;
    await ok(hub.call('POST', '/v1.0/conversation_accounts', { type: 'email', provider_data: { address: own } }));
    const address = newSender();
    await bringMail(env, { from: address, to: own, text: 'by mail, long ago' });
    const ada = await visitor({ email: address });
    await ada.say('by chat');
    await ok(ada.call('POST', `/chat/${account.id}/verifications`, {}));
    const sent = outbox.findLast(({ to }) => to === address);
    const read = await readMail(new TextEncoder().encode(sent?.raw), own);
    const path = /\/chat\/\S+\/verify\?token=[\w.-]+/.exec(read.ok ? read.value.text : '')?.[0] ?? '';
    const shown = await opened(path, 'GET');
    expect(shown.status).toBe(200);
    expect(await shown.text()).toContain(address);
    expect(await ada.sees()).toEqual(['by chat']);
    expect((await opened(path, 'POST')).status).toBe(200);
    expect(await ada.sees()).toEqual(['by mail, long ago', 'by chat']);
    expect(await ok(session({ visitor_token: ada.token }))).toMatchObject({ is_verified: true });
    expect((await opened(`${path}x`, 'POST')).status).toBe(410);
    expect((await opened(`/chat/${account.id}/verify`, 'GET')).status).toBe(410);
  });

  test('is not mailed without an address, and not often', async () => {
    const ada = await visitor();
    const ask = (body: Json) => ada.call('POST', `/chat/${account.id}/verifications`, body);
    expect((await ask({})).status).toBe(400);
    expect((await ask({ email: 'nobody' })).status).toBe(400);
    const email = newSender();
    const statuses = [];
    for (let times = 0; times < 5; times += 1) statuses.push((await ask({ email })).status);
    expect(statuses).toContain(429);
  });
});

describe('bad input', () => {
  test('another origin, an unknown account, a foreign, made-up or missing token', async () => {
    const stranger = await session({}, { origin: 'https://evil.example' });
    expect(stranger).toMatchObject({ status: 403, body: { error: { reason: 'ORIGIN_NOT_ALLOWED' } } });
    const other = await newHub();
    const elsewhere = await newChat(other);
    const { visitor_token } = await ok(callWith(null)('POST', `/chat/${elsewhere.id}/sessions`, {}));
    const read = (token: string | null) => callWith(token)('GET', `/chat/${account.id}/messages`);
    expect((await read(visitor_token)).status).toBe(401);
    expect((await read(hub.accessKey)).status).toBe(401);
    expect((await read(null)).status).toBe(401);
    expect((await session({ visitor_token: 'x.y.z' })).status).toBe(401);
    expect((await callWith(null)('POST', `/chat/${crypto.randomUUID()}/sessions`, {})).status).toBe(404);
    expect((await callWith(null)('POST', '/chat/nonsense/sessions', {})).status).toBe(404);
    // A visitor's token opens nothing of the API.
    expect((await callWith(visitor_token)('GET', '/v1.0/conversations')).status).toBe(401);
  });

  test('an empty or endless text, a field of the wrong kind, an address that is none', async () => {
    const ada = await visitor();
    const post = (body: Json) => ada.call('POST', `/chat/${account.id}/messages`, body);
    const fields = async (body: Json) => {
      const { status, body: answered } = await post(body);
      return [status, ...Object.keys(answered.error.details)];
    };
    expect(await fields({ text: '  ', client_id: 'x' })).toEqual([400, 'text']);
    expect(await fields({ text: 'x'.repeat(5001), client_id: 'x' })).toEqual([400, 'text']);
    expect(await fields({ text: 'x' })).toEqual([400, 'client_id']);
    expect((await session({ email: 'nobody' })).body.error.details).toEqual({ email: 'must be an e-mail address' });
    const wrong = { type: 'chat', provider_data: { allowed_origins: ['shop.example'] } };
    expect(await hub.call('POST', '/v1.0/conversation_accounts', wrong)).toMatchObject({
      status: 400,
      body: { error: { details: { 'provider_data.allowed_origins.0': expect.stringContaining('origin') } } },
    });
  });
});
