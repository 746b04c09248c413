import { evictDurableObject } from 'cloudflare:test';
import { env, exports } from 'cloudflare:workers';
import { beforeAll, describe, expect, test } from 'vitest';
import { callWith, eventually, inbound, newSandbox, ok, ORIGIN, type Json } from '../support/hub.ts';
import { bringMail, newSender } from '../support/mails.ts';
import {
  hub,
  account,
  own,
  openShop,
  session,
  visitor,
  answer,
  conv,
  vouch,
  wait,
  mailsTo,
  settle,
  proveByMail,
} from '../support/shop.ts';

beforeAll(openShop);

async function raw(method: string, path: string, token: string | null, init: Json = {}) {
  const response = await exports.default.fetch(`${ORIGIN}${path}`, {
    method,
    ...init,
    headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...init.headers },
  });
  return { status: response.status, text: await response.text() };
}

const BODIES = [
  '{',
  '[]',
  'null',
  '1',
  '"x"',
  '',
  '{"text":1,"client_id":2}',
  '{"__proto__":{}}',
  '{"text":"a\\u0000b","client_id":"c\\u0000d"}',
  '{"text":"\\ud800","client_id":"\\ud800"}',
  `{"text":"x","client_id":"${'y'.repeat(101)}"}`,
  '{"name":"\\u0000","email":"a@b.example"}',
  '{"name":"\\ud800x"}',
  '{"email":"ä@ö.example"}',
  '{"email":"a@b.example\\u0000"}',
  '{"visitor_token":5}',
  '{"visitor_token":"..","identity_token":".."}',
  '{"identity_token":""}',
  '{"email":null,"name":null}',
];
const QUERIES = [
  '?page_size=0',
  '?page_size=abc',
  '?page_size=1e9',
  '?page_token=abc',
  '?page_token=-1',
  '?page_token=999999999999999',
  '/nope',
  '/nope/medias/0',
  `/${crypto.randomUUID()}/medias/0`,
  `/${crypto.randomUUID()}/medias/-1`,
  '/../x',
];
const CLAIMS = [
  { email: 'a@b.example', name: '\ud800' },
  { email: 'a@b.example', name: '\u0000' },
  { phone_number: '+1555000000011111111' },
  { email: 5 },
  { email: `${'x'.repeat(60)}@b.example`, name: 'n'.repeat(255) },
];

describe('bad input is never a 500', () => {
  test.each(['messages', 'sessions', 'verifications'])('in a body of %s', async (path) => {
    const { token } = await visitor();
    for (const [index, body] of BODIES.entries()) {
      const headers = { 'content-type': 'application/json', 'cf-connecting-ip': `10.1.0.${index}` };
      const { status, text } = await raw('POST', `/chat/${account.id}/${path}`, token, { body, headers });
      expect(status, `${body}: ${text}`).toBeLessThan(500);
    }
  });

  test('in a query, or an identity token', async () => {
    const { token } = await visitor();
    for (const query of QUERIES) {
      const { status, text } = await raw('GET', `/chat/${account.id}/messages${query}`, token);
      expect(status, `${query}: ${text}`).toBeLessThan(500);
    }
    for (const claims of CLAIMS)
      expect((await session({ identity_token: await vouch(claims) })).status).toBeLessThan(500);
  });

  test('where a socket begins', async () => {
    const { token } = await visitor();
    for (const after of ['abc', '-1', '1e400', '9007199254740993', '99999999999999999999', '1.5', '']) {
      const headers = { upgrade: 'websocket', 'sec-websocket-protocol': `visitor.${token}` };
      const response = await exports.default.fetch(`${ORIGIN}/chat/${account.id}/ws?after=${after}`, { headers });
      response.webSocket?.accept();
      expect(response.status, after).toBeLessThan(500);
    }
  });

  test('bad frames are answered, and the socket stays', async () => {
    const ada = await visitor();
    const { sequence } = await ada.say('x');
    const socket = await ada.listen(sequence);
    await socket.next();
    for (const bad of [
      '{',
      '[]',
      'null',
      '1',
      '{"type":"ack","sequence":-1}',
      '{"type":"ack","sequence":1e999}',
      '{"type":"read","sequence":"1"}',
      '{"type":"subscribe","topics":["x"]}',
      '{"type":"typing"}',
      '{"type":"send","text":"x"}',
    ]) {
      socket.send(bad);
      const got = await Promise.race([socket.next(), new Promise((r) => setTimeout(() => r('silence'), 1000))]);
      expect([bad, got.type ?? got]).toEqual([bad, 'error']);
    }
    socket.send('{"type":"read","sequence":9007199254740991}');
    socket.send('{"type":"ack","sequence":9007199254740991}');
    const last = await answer(ada.conversation_id, 'still here');
    const frame = await eventually(async () => {
      const f = await socket.next();
      expect(f.data?.id).toBe(last.id);
      return f;
    });
    expect(frame.type).toBe('message');
  });
});

describe('tokens', () => {
  test('visitors’ tokens open nothing else; alg none opens nothing', async () => {
    const ada = await visitor();
    await ada.say('x');
    const paths = [
      '/v1.0/me',
      '/v1.0/ws',
      '/v1/conversations',
      `/v1.0/conversations/${ada.conversation_id}/stream`,
      '/v1.0/events',
      `/v1.0/conversations/${ada.conversation_id}/messages`,
    ];
    for (const path of paths) {
      for (const with_ of [
        path,
        `${path}?token=${ada.token}`,
        `${path}?accesskey=${ada.token}`,
        `${path}?ticket=${ada.token}`,
      ]) {
        const { status } = await raw('GET', with_, with_ === path ? ada.token : null);
        expect([with_.split('?')[1]?.slice(0, 6) ?? path, status]).toEqual([expect.anything(), 401]);
      }
    }
    const b64 = (x: Json) => btoa(JSON.stringify(x)).replaceAll('=', '').replaceAll('+', '-').replaceAll('/', '_');
    const none = `${b64({ alg: 'none' })}.${b64({ email: 'a@b.example', exp: 9999999999 })}.`;
    expect((await session({ identity_token: none })).status).toBe(400);
    const [, payload] = ada.token.split('.');
    expect((await raw('GET', `/chat/${account.id}/messages`, `${b64({ alg: 'none' })}.${payload}.`)).status).toBe(401);
  });
});

describe('what was said', () => {
  test('the same client_id after a close is the same message', async () => {
    const ada = await visitor();
    const one = await ada.say('x', 'k');
    await ok(hub.call('PUT', `/v1.0/conversations/${ada.conversation_id}`, { ai_mode: 'closed' }));
    expect((await ada.say('x', 'k')).id).toBe(one.id);
    const two = await ada.say('y', 'k2');
    expect((await ada.say('x', 'k')).id).toBe(one.id);
    await ok(hub.call('PUT', `/v1.0/conversations/${two.conversation_id}`, { ai_mode: 'closed' }));
    expect((await ada.say('x', 'k')).id).toBe(one.id);
    await ada.say('z', 'k3');
    expect((await ada.say('y', 'k2')).id).toBe(two.id);
  });

  test('the same client_id after a proof is the same message', async () => {
    const phone = '+15559990201';
    const sms = await newSandbox(hub, { provider_data: { provider: 'sandbox', number: '+15550100090' } });
    await inbound(hub, sms.id, phone, 'by sms');
    const ada = await visitor();
    const one = await ada.say('x', 'k');
    await ok(session({ visitor_token: ada.token, identity_token: await vouch({ phone_number: phone }) }));
    expect((await ada.say('x', 'k')).id).toBe(one.id);
  });

  test('a message that was deleted since is answered as what it is when it is sent again', async () => {
    const ada = await visitor();
    const one = await ada.say('x', 'k');
    await ok(hub.call('DELETE', `/v1.0/conversations/${ada.conversation_id}/messages/${one.id}`));
    const again = await ada.call('POST', `/chat/${account.id}/messages`, { text: 'x', client_id: 'k' });
    expect(again.status).toBe(200);
  });

  test('a socket without a conversation, an eviction, then the first message', async () => {
    const ada = await visitor();
    const socket = await ada.listen(0);
    await socket.next();
    await evictDurableObject(env.CONVERSATION.getByName(ada.conversation_id));
    await ada.say('hello');
    await eventually(async () => expect((await socket.next()).type).toBe('message'));
    expect(socket.frames.map(({ type }) => type)).toEqual(['caught_up', 'skip', 'message']);
  });

  test('what a visitor said is found again after many messages that are not for it', async () => {
    const mail = newSender();
    const ada = await visitor({ email: mail });
    await ada.say('mine');
    const many = Array.from({ length: 201 }, (_, i) => i);
    for (let i = 0; i < many.length; i += 20)
      await Promise.all(
        many.slice(i, i + 20).map((n) => answer(ada.conversation_id, { text: `m${n}`, channel: 'email' })),
      );
    expect(await ada.sees()).toEqual(['mine']);
  });

  test('proof survives a merger', async () => {
    const [mail, phone] = [newSender(), '+15559990301'];
    const sms = await newSandbox(hub, { provider_data: { provider: 'sandbox', number: '+15550100091' } });
    await bringMail(env, { from: mail, to: own, text: 'by mail' });
    const ada = await visitor({ email: mail });
    await ada.say('by chat');
    expect(await proveByMail(ada, mail)).toBe(200);
    expect(await ada.sees()).toEqual(['by mail', 'by chat']);
    await inbound(hub, sms.id, phone, 'by sms');
    const find = (address: string) =>
      eventually(async () => {
        const { result } = await ok(hub.call('GET', `/v1.0/contacts?address=${encodeURIComponent(address)}`));
        expect(result).toHaveLength(1);
        return result[0];
      });
    const [winner, loser] = [await find(phone), await find(mail)];
    await ok(hub.call('POST', `/v1.0/contacts/${winner.id}/merge`, { contact_id: loser.id }));
    const sees = await ada.sees();
    expect(sees).toContain('by chat');
    expect(sees).toContain('by mail');
    expect(await ok(session({ visitor_token: ada.token }))).toMatchObject({ is_verified: true });
  });
});

describe('cost', () => {
  test('acknowledgements that say nothing new make no commit; a read makes one for each message', async () => {
    const ada = await visitor();
    await ada.say('x');
    for (let i = 0; i < 30; i += 1) await answer(ada.conversation_id, `a${i}`);
    const socket = await ada.listen(0);
    await settle();
    const before = (await conv(ada.conversation_id)).sequence;
    for (let i = 0; i < 200; i += 1) {
      socket.send(JSON.stringify({ type: 'ack', sequence: before }));
      socket.send(JSON.stringify({ type: 'read', sequence: before }));
    }
    await settle();
    const after = (await conv(ada.conversation_id)).sequence;
    expect(after - before).toBeLessThanOrEqual(60);
  });
});

describe('others', () => {
  test('a flow’s and an assistant’s answer with a handoff is mailed to who has left', async () => {
    const flow = await ok(
      hub.call('POST', '/v1.0/flows', {
        name: 'f',
        fenced: true,
        actions: [
          { type: 'conversation_send', option: { text: 'A person will answer you.' } },
          { type: 'assign', option: { owner_id: hub.adminId } },
        ],
      }),
    );
    const other = await ok(
      hub.call('POST', '/v1.0/conversation_accounts', {
        type: 'chat',
        name: 'S',
        message_flow_id: flow.id,
        provider_data: { allowed_origins: ['*'] },
      }),
    );
    const mail = newSender();
    const { visitor_token, conversation_id } = await ok(
      callWith(null)('POST', `/chat/${other.id}/sessions`, { email: mail }),
    );
    await ok(callWith(visitor_token)('POST', `/chat/${other.id}/messages`, { text: 'hi', client_id: '1' }));
    await eventually(async () => expect((await conv(conversation_id)).ai_mode).toBe('human'));
    const { result } = await ok(hub.call('GET', `/v1.0/conversations/${conversation_id}/messages`));
    expect(result[0]).toMatchObject({
      text: 'A person will answer you.',
      deliveries: [{ channel: 'chat', status: 'sent' }],
    });
    await wait(conversation_id, 61_000);
    await eventually(() => expect(mailsTo(mail)).toHaveLength(1), 100);
  });

  test('a proof by an address of a conversation with several people shows that person’s alone', async () => {
    const [a, b] = [newSender(), newSender()];
    const many = await ok(
      hub.call('POST', '/v1.0/conversations', {
        participants: [
          { name: 'A', addresses: [{ type: 'email', target: a }] },
          { name: 'B', addresses: [{ type: 'email', target: b }] },
        ],
      }),
    );
    await bringMail(env, { from: a, to: own, text: 'from A' });
    await bringMail(env, { from: b, to: own, text: 'SECRET from B' });
    const ada = await visitor({ identity_token: await vouch({ email: a }) });
    expect(ada.conversation_id).toBe(many.id);
    await ada.say('chat');
    expect(await ada.sees()).toEqual(['from A', 'chat']);
    const socket = await ada.listen(0);
    await settle();
    socket.send('x');
    const frames = await socket.take(6);
    expect(JSON.stringify(frames)).not.toContain('SECRET');
    expect(JSON.stringify(frames)).not.toContain(b);
  });

  test('the dialect of /v1 shows a conversation of the chat', async () => {
    const ada = await visitor({ name: 'Ada' });
    await ada.say('x');
    const found = await eventually(async () => {
      const { body } = await hub.call('GET', '/v1/conversations?page_size=100');
      const rows: Json[] = Object.values(body).find(Array.isArray) as Json[];
      expect(JSON.stringify(rows)).toContain('chat');
      return rows.find((row) => JSON.stringify(row).includes('chat'));
    });
    const one = await hub.call('GET', `/v1/conversations/${found.id ?? found.conversation_id}`);
    expect(one.status).toBe(200);
  });

  test('the follow-up of a message that the visitor had on its socket without an ack is one mail, and a deleted one is none', async () => {
    const mail = newSender();
    const ada = await visitor({ email: mail });
    await ada.say('x');
    const gone = await answer(ada.conversation_id, 'deleted');
    await answer(ada.conversation_id, 'kept');
    await ok(hub.call('DELETE', `/v1.0/conversations/${ada.conversation_id}/messages/${gone.id}`));
    for (let i = 0; i < 3; i += 1) await wait(ada.conversation_id, 61_000);
    await settle();
    expect(mailsTo(mail)).toHaveLength(1);
  });

  test('what a visitor types after the conversation was moved by an agent does not hide what it said before', async () => {
    const mail = newSender();
    const ada = await visitor({ identity_token: await vouch({ email: mail }) });
    await ada.say('before');
    const target = (await conv(ada.conversation_id)).participants[0].addresses.find(
      ({ type }: Json) => type === 'chat',
    ).target;
    const other = await ok(
      hub.call('POST', '/v1.0/conversations', { participants: [{ type: 'email', target: newSender() }] }),
    );
    await ok(
      hub.call('POST', `/v1.0/conversations/${other.id}/participants`, {
        name: 'Ada',
        addresses: [{ type: 'chat', target }],
        move: true,
      }),
    );
    await ada.say('after');
    expect(await ada.sees()).toEqual(['before', 'after']);
  });
});
