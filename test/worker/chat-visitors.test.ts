import { env, exports } from 'cloudflare:workers';
import { beforeAll, describe, expect, test } from 'vitest';
import { callWith, eventually, inbound, newHub, newSandbox, ok, ORIGIN, type Json } from '../support/hub.ts';
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
  replyOf,
  proveByMail,
} from '../support/shop.ts';

beforeAll(openShop);

describe('secrecy', () => {
  test('who has proved its own address sees nothing of an address that it only typed', async () => {
    const victim = newSender();
    const eve = await visitor({ email: victim });
    await eve.say('I lost my order');
    await answer(eve.conversation_id, 'Which one?');
    await wait(eve.conversation_id, 61_000);
    await eventually(() => expect(mailsTo(victim)).toHaveLength(1));
    await bringMail(env, { from: victim, to: replyOf(mailsTo(victim)[0]?.raw), text: 'SECRET: my number is 555' });
    const { result } = await ok(hub.call('GET', `/v1.0/conversations/${eve.conversation_id}/messages`));
    expect(result[0]).toMatchObject({ text: 'SECRET: my number is 555' });
    expect(await eve.sees()).not.toContain('SECRET: my number is 555');
    // Eve proves an address of her own, which anybody can.
    expect(await proveByMail(eve, newSender())).toBe(200);
    await bringMail(env, { from: victim, to: own, text: 'SECRET: a new mail of its own' });
    const sees = await eve.sees();
    expect(sees.filter((text) => text.startsWith('SECRET'))).toEqual([]);
  });

  test('two people who prove themselves in one browser are not one person', async () => {
    const [a, b] = [newSender(), newSender()];
    await bringMail(env, { from: a, to: own, text: 'SECRET of A by mail' });
    const first = await ok(session({ identity_token: await vouch({ email: a }) }));
    // A leaves the shared computer, B signs in at the site; the widget still has its token.
    const second = await ok(session({ visitor_token: first.visitor_token, identity_token: await vouch({ email: b }) }));
    const bob = await visitor({ visitor_token: second.visitor_token });
    await bob.say('I am B');
    expect(await bob.sees()).toEqual(['I am B']);
    const { participants } = await conv(bob.conversation_id);
    expect(participants[0].addresses.map(({ target }: Json) => target)).not.toContain(a);
  });

  test('the name of a flow is the agents’ own', async () => {
    const flow = await ok(
      hub.call('POST', '/v1.0/flows', {
        name: 'INTERNAL churn-risk VIP triage',
        actions: [{ type: 'conversation_send', option: { text: 'Hello from the flow' } }],
      }),
    );
    const other = await ok(
      hub.call('POST', '/v1.0/conversation_accounts', {
        type: 'chat',
        name: 'Shop2',
        message_flow_id: flow.id,
        provider_data: { allowed_origins: ['*'] },
      }),
    );
    const { visitor_token } = await ok(callWith(null)('POST', `/chat/${other.id}/sessions`, {}));
    const call = callWith(visitor_token);
    await ok(call('POST', `/chat/${other.id}/messages`, { text: 'hi', client_id: '1' }));
    const rows = await eventually(async () => {
      const { result } = await ok(call('GET', `/chat/${other.id}/messages`));
      expect(result).toHaveLength(2);
      return result;
    });
    expect(JSON.stringify(rows)).not.toContain('INTERNAL');
  });

  test('an agent’s client_id is not shown to the visitor', async () => {
    const ada = await visitor();
    await ada.say('hi');
    await answer(ada.conversation_id, { text: 'hello', client_id: 'INTERNAL-ticket-refund-9' });
    expect(JSON.stringify(await ada.rows())).not.toContain('INTERNAL');
  });

  test('is_read says nothing of what another participant has read', async () => {
    const ada = await visitor({ name: 'Ada' });
    const bob = await visitor({ name: 'Bob' });
    await ada.say('hi');
    const bobs = await bob.say('bob before');
    const chatOf = (await conv(bobs.conversation_id)).participants[0].addresses[0];
    await ok(
      hub.call('POST', `/v1.0/conversations/${ada.conversation_id}/participants`, {
        name: 'Bob',
        addresses: [{ type: chatOf.type, target: chatOf.target }],
        move: true,
      }),
    );
    const sent = await answer(ada.conversation_id, 'to both');
    expect(sent.deliveries).toHaveLength(2);
    const socket = await bob.listen(0);
    await settle();
    socket.send(JSON.stringify({ type: 'read', sequence: sent.sequence }));
    await settle();
    const mine = (await ada.rows()).find(({ text }) => text === 'to both');
    expect(mine).toMatchObject({ is_read: false });
    expect(await ada.sees()).toEqual(['hi', 'to both']);
    expect(await bob.sees()).toEqual(['bob before', 'to both']);
  });
});

describe('loss', () => {
  test('the second page of a history', async () => {
    const ada = await visitor();
    for (const text of ['1', '2', '3']) await ada.say(text);
    const first = await ok(ada.call('GET', `/chat/${account.id}/messages?page_size=2`));
    const next = await ada.call('GET', `/chat/${account.id}/messages?page_size=2&page_token=${first.next_page_token}`);
    expect({ status: next.status, texts: next.body.result?.map(({ text }: Json) => text) }).toEqual({
      status: 200,
      texts: ['1'],
    });
  });

  test('an identity with two addresses joins both histories', async () => {
    const sms = await newSandbox(hub, { provider_data: { provider: 'sandbox', number: '+15550100078' } });
    const [phone, mail] = ['+15559990101', newSender()];
    await inbound(hub, sms.id, phone, 'by sms');
    await bringMail(env, { from: mail, to: own, text: 'by mail' });
    const ada = await visitor({ identity_token: await vouch({ phone_number: phone, email: mail }) });
    await ada.say('by chat');
    expect((await ada.sees()).toSorted()).toEqual(['by chat', 'by mail', 'by sms']);
  });

  test('what agents merged before the proof is part of the history', async () => {
    const sms = await newSandbox(hub, { provider_data: { provider: 'sandbox', number: '+15550100079' } });
    const [phone, mail] = ['+15559990102', newSender()];
    const { conversation_id: smsId } = await inbound(hub, sms.id, phone, 'by sms');
    await bringMail(env, { from: mail, to: own, text: 'by mail' });
    const contacts = async (address: string) =>
      eventually(async () => {
        const { result } = await ok(hub.call('GET', `/v1.0/contacts?address=${encodeURIComponent(address)}`));
        expect(result).toHaveLength(1);
        return result[0];
      });
    const [winner, loser] = [await contacts(mail), await contacts(phone)];
    await ok(hub.call('POST', `/v1.0/contacts/${winner.id}/merge`, { contact_id: loser.id }));
    const ada = await visitor({ identity_token: await vouch({ email: mail }) });
    const state = await conv(ada.conversation_id);
    expect(state.participants[0].addresses.map(({ type }: Json) => type)).toContain('tel');
    expect(smsId).not.toBe(ada.conversation_id);
    expect((await ada.sees()).toSorted()).toEqual(['by mail', 'by sms']);
  });

  test('a proof by mail outlives the conversation', async () => {
    const mail = newSender();
    await bringMail(env, { from: mail, to: own, text: 'by mail' });
    const ada = await visitor({ email: mail });
    await ada.say('by chat');
    expect(await proveByMail(ada, mail)).toBe(200);
    const joined = (await ok(session({ visitor_token: ada.token }))).conversation_id;
    await ok(hub.call('PUT', `/v1.0/conversations/${joined}`, { ai_mode: 'closed' }));
    await ada.say('again');
    expect(await ok(session({ visitor_token: ada.token }))).toMatchObject({ is_verified: true });
  });

  test('a proof by mail before the first message counts', async () => {
    const mail = newSender();
    const ada = await visitor({ email: mail });
    expect(await proveByMail(ada, mail)).toBe(200);
    await ada.say('first');
    expect(await ok(session({ visitor_token: ada.token }))).toMatchObject({ is_verified: true });
  });

  test('a proof by mail before the first message joins the known history', async () => {
    const mail = newSender();
    await bringMail(env, { from: mail, to: own, text: 'by mail' });
    const ada = await visitor({ email: mail });
    expect(await proveByMail(ada, mail)).toBe(200);
    expect(await ada.sees()).toEqual(['by mail']);
    await ada.say('first');
    expect(await ada.sees()).toEqual(['by mail', 'first']);
  });

  test('an identity token that comes after an anonymous session without a message', async () => {
    const mail = newSender();
    await bringMail(env, { from: mail, to: own, text: 'by mail' });
    const ada = await visitor();
    const proved = await visitor({ visitor_token: ada.token, identity_token: await vouch({ email: mail }) });
    expect(await proved.sees()).toEqual(['by mail']);
    await proved.say('x');
    expect(await proved.sees()).toEqual(['by mail', 'x']);
  });

  test('after a close, the proved visitor’s chat and its mails are one conversation again', async () => {
    const mail = newSender();
    const ada = await visitor({ identity_token: await vouch({ email: mail }) });
    await ada.say('one');
    await ok(hub.call('PUT', `/v1.0/conversations/${ada.conversation_id}`, { ai_mode: 'closed' }));
    const { conversation_id: second } = await ada.say('two');
    await bringMail(env, { from: mail, to: own, text: 'three by mail' });
    const back = await visitor({ visitor_token: ada.token });
    expect(await back.sees()).toEqual(['two', 'three by mail']);
    const state = await conv(second);
    expect({ state: state.state, merged: state.merged_into ?? null }).toBeTruthy();
  });

  test('the files of a history that was joined', async () => {
    const phone = '+15559990103';
    const sms = await newSandbox(hub, { provider_data: { provider: 'sandbox', number: '+15550100080' } });
    const ada = await visitor();
    await ada.say('hello');
    const upload = await exports.default.fetch(`${ORIGIN}/v1.0/medias?filename=a.txt`, {
      method: 'POST',
      headers: { authorization: `Bearer ${hub.accessKey}`, 'content-type': 'text/plain' },
      body: 'the file',
    });
    const media: Json = await upload.json();
    await answer(ada.conversation_id, { text: 'a file', medias: [{ type: 'text/plain', url: media.url }] });
    const fetchFile = async () => {
      const row = (await ada.rows()).find(({ text }) => text === 'a file');
      const response = await exports.default.fetch(`${ORIGIN}/chat/${account.id}/messages/${row.id}/medias/0`, {
        headers: { authorization: `Bearer ${ada.token}` },
      });
      return [response.status, response.status === 200 ? await response.text() : ''];
    };
    expect(await fetchFile()).toEqual([200, 'the file']);
    await inbound(hub, sms.id, phone, 'by sms');
    await ok(session({ visitor_token: ada.token, identity_token: await vouch({ phone_number: phone }) }));
    expect(await ada.sees()).toContain('a file');
    expect(await fetchFile()).toEqual([200, 'the file']);
  });

  test('the socket of a conversation that goes on in another says so', async () => {
    const mail = newSender();
    await bringMail(env, { from: mail, to: own, text: 'by mail' });
    const ada = await visitor({ email: mail });
    const { sequence } = await ada.say('by chat');
    const socket = await ada.listen(sequence);
    expect(await socket.next()).toMatchObject({ type: 'caught_up' });
    expect(await proveByMail(ada, mail)).toBe(200);
    const { conversation_id: id } = await ok(session({ visitor_token: ada.token }));
    expect(id).not.toBe(ada.conversation_id);
    await answer(id, { text: 'live answer', channel: 'chat' });
    const next = (async () => {
      for (;;) {
        const frame = await socket.next();
        if (frame.type === 'closed' || frame.type === 'message') return frame.type;
      }
    })();
    const told = await Promise.race([
      next,
      socket.closed.then(() => 'socket closed'),
      new Promise((resolve) => setTimeout(() => resolve(`nothing but ${JSON.stringify(socket.frames)}`), 3000)),
    ]);
    expect(told).toMatch(/^(closed|message|socket closed)$/);
  });
});

describe('follow-up', () => {
  test('goes to the address as it was corrected', async () => {
    const [wrong, right] = [newSender(), newSender()];
    const ada = await visitor({ email: wrong });
    await ada.say('hi');
    const again = await visitor({ visitor_token: ada.token, email: right });
    await again.say('sorry, that address was wrong');
    await answer(ada.conversation_id, 'the answer');
    await wait(ada.conversation_id, 61_000);
    await settle();
    expect([mailsTo(wrong).length, mailsTo(right).length]).toEqual([0, 1]);
  });

  test('not to an address that has opted out since', async () => {
    const mail = newSender();
    await bringMail(env, { from: mail, to: own, text: 'hello by mail' });
    const ada = await visitor({ email: mail });
    await ada.say('hi');
    await bringMail(env, { from: mail, to: own, text: 'STOP' });
    await settle();
    await answer(ada.conversation_id, 'the answer');
    await wait(ada.conversation_id, 61_000);
    await settle();
    expect(mailsTo(mail)).toHaveLength(0);
  });

  test('not after the conversation was deleted', async () => {
    const mail = newSender();
    const ada = await visitor({ email: mail });
    await ada.say('hi');
    await answer(ada.conversation_id, 'the answer');
    await ok(hub.call('DELETE', `/v1.0/conversations/${ada.conversation_id}`));
    await wait(ada.conversation_id, 61_000);
    await settle();
    expect(mailsTo(mail)).toHaveLength(0);
  });

  test('not to who was removed', async () => {
    const mail = newSender();
    const ada = await visitor({ name: 'Ada', email: mail });
    await ada.say('hi');
    await ok(
      hub.call('POST', `/v1.0/conversations/${ada.conversation_id}/participants`, {
        name: 'Bob',
        addresses: [{ type: 'email', target: newSender() }],
      }),
    );
    await answer(ada.conversation_id, 'the answer');
    const { participants } = await conv(ada.conversation_id);
    const mine = participants.find(({ name }: Json) => name === 'Ada');
    await ok(hub.call('DELETE', `/v1.0/conversations/${ada.conversation_id}/participants/${mine.id}`));
    await wait(ada.conversation_id, 61_000);
    await settle();
    expect(mailsTo(mail)).toHaveLength(0);
  });

  test('the e-mail account is gone: the message stays done', async () => {
    const hubs = await newHub();
    const chat = await ok(
      hubs.call('POST', '/v1.0/conversation_accounts', { type: 'chat', provider_data: { allowed_origins: ['*'] } }),
    );
    const box = await ok(
      hubs.call('POST', '/v1.0/conversation_accounts', {
        type: 'email',
        provider_data: { address: `x-${crypto.randomUUID().slice(0, 8)}@shop.example` },
      }),
    );
    const mail = newSender();
    const { visitor_token, conversation_id } = await ok(
      callWith(null)('POST', `/chat/${chat.id}/sessions`, { email: mail }),
    );
    await ok(callWith(visitor_token)('POST', `/chat/${chat.id}/messages`, { text: 'x', client_id: 'y' }));
    const sent = await ok(hubs.call('POST', `/v1.0/conversations/${conversation_id}/messages`, { text: 'answer' }));
    await ok(hubs.call('DELETE', `/v1.0/conversation_accounts/${box.id}`));
    await wait(conversation_id, 61_000);
    await settle();
    const now = await ok(hubs.call('GET', `/v1.0/conversations/${conversation_id}/messages/${sent.id}`));
    expect(mailsTo(mail)).toHaveLength(0);
    expect(now.status).toBe('done');
    // A deleted chat account is unknown, and its sockets too.
    await ok(hubs.call('DELETE', `/v1.0/conversation_accounts/${chat.id}`));
    const gone = await callWith(visitor_token)('GET', `/chat/${chat.id}/messages`);
    expect(gone.status).toBe(404);
  });
});
