import { listDurableObjectIds, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, test } from 'vitest';
import { callWith, eventually, inbound, newHub, newSandbox, ok, type Hub, type Json } from '../support/hub.ts';
import { bringMail } from '../support/mails.ts';

let hub: Hub;
let account: Json;
let own = '';

beforeAll(async () => {
  hub = await newHub();
  account = await newSandbox(hub);
  own = `shop-${crypto.randomUUID().slice(0, 8)}@shop.example`;
  await ok(hub.call('POST', '/v1.0/conversation_accounts', { type: 'email', provider_data: { address: own } }));
});

let people = 0;
const nextTel = (): string => `+1555720${String((people += 1)).padStart(4, '0')}`;
const says = async (from: string, text = 'hello'): Promise<string> =>
  (await inbound(hub, account.id, from, text)).conversation_id;
const contactOf = (address: string): Promise<Json> =>
  eventually(async () => {
    const { result } = await ok(hub.call('GET', `/v1.0/contacts?address=${encodeURIComponent(address)}`));
    expect(result).toHaveLength(1);
    return result[0];
  });
const conversation = (id: string): Promise<Json> => ok(hub.call('GET', `/v1.0/conversations/${id}`));
const textsOf = async (id: string): Promise<string[]> =>
  (await ok(hub.call('GET', `/v1.0/conversations/${id}/messages`))).result.map(({ text }: Json) => text).toReversed();
const merge = (winner: string, loser: string) =>
  hub.call('POST', `/v1.0/contacts/${winner}/merge`, { contact_id: loser });
const undo = (id: string) => ok(hub.call('POST', `/v1.0/contact_merges/${id}/undo`));

describe('contacts', () => {
  test('are known by their addresses, over all of their conversations', async () => {
    const phone = nextTel();
    const first = await says(phone);
    await ok(hub.call('PUT', `/v1.0/conversations/${first}`, { ai_mode: 'closed' }));
    const second = await says(phone, 'again');
    const contact = await eventually(async () => {
      const found = await contactOf(phone);
      expect(found.conversation_ids).toHaveLength(2);
      return found;
    });
    expect(contact).toMatchObject({ addresses: [{ type: 'tel', target: phone }], merged_ids: [] });
    expect(contact.conversation_ids.toSorted()).toEqual([first, second].toSorted());
    expect((await ok(hub.call('GET', `/v1.0/contacts/${contact.id}`))).id).toBe(contact.id);
    const other = await newHub();
    expect((await other.call('GET', `/v1.0/contacts/${contact.id}`)).status).toBe(404);
    expect((await ok(other.call('GET', '/v1.0/contacts'))).result).toEqual([]);
  });
});

describe('a merger', () => {
  test('makes two contacts one and their open conversations one history; undone, everything is as it was', async () => {
    const [phone, mail] = [nextTel(), `merged-${crypto.randomUUID()}@company.example`];
    const bySms = await says(phone, 'by SMS');
    await bringMail(env, { to: own, from: mail, text: 'by mail' });
    const [winner, loser] = [await contactOf(phone), await contactOf(mail)];
    const [byMail] = loser.conversation_ids;
    const before = [await conversation(bySms), await conversation(byMail)];

    const merged = await ok(merge(winner.id, loser.id));
    expect(merged).toMatchObject({ joined_conversations: [{ from: byMail, into: bySms }], undone: false });
    expect(await conversation(byMail)).toMatchObject({ state: 'closed', merged_into: bySms });
    await bringMail(env, { to: own, from: mail, text: 'by mail again' });
    expect(await textsOf(bySms)).toEqual(['by SMS', 'by mail', 'by mail again']);
    const both = await ok(hub.call('GET', `/v1.0/contacts/${loser.id}`));
    expect(both).toMatchObject({ id: winner.id, merged_ids: [loser.id] });
    expect(both.addresses.map(({ target }: Json) => target).toSorted()).toEqual([phone, mail].toSorted());
    expect((await hub.call('POST', `/v1.0/conversations/${byMail}/messages`, { text: 'x' })).status).toBe(409);
    expect((await ok(merge(winner.id, loser.id))).id).toBe(merged.id);
    expect((await merge(loser.id, winner.id)).status).toBe(400);

    expect(await undo(merged.id)).toMatchObject({ undone: true });
    expect(await undo(merged.id)).toMatchObject({ undone: true });
    const after = [await conversation(bySms), await conversation(byMail)];
    const same = ({ participants, state, merged_into, peer, type }: Json) => ({
      participants,
      state,
      merged_into,
      peer,
      type,
    });
    expect(after.map((each) => same(each).participants)).toEqual(before.map((each) => same(each).participants));
    expect(same(after[1])).toEqual(same(before[1]));
    expect(after[0]).toMatchObject({ state: 'active', merged_into: before[0].merged_into });
    expect(await ok(hub.call('GET', `/v1.0/contacts/${loser.id}`))).toMatchObject({ id: loser.id, merged_ids: [] });
    await bringMail(env, { to: own, from: mail, text: 'on my own again' });
    expect(await textsOf(byMail)).toEqual(['by mail', 'on my own again']);
    expect(await says(phone, 'me too')).toBe(bySms);
    expect(await textsOf(bySms)).toEqual(['by SMS', 'by mail again', 'me too']);
  });

  test('of one contact at once is made once; of a foreign one never', async () => {
    const tels = [nextTel(), nextTel(), nextTel()];
    for (const each of tels) await says(each);
    const [a, b, loser] = await Promise.all(tels.map(contactOf));
    const made = await Promise.all([merge(a.id, loser.id), merge(b.id, loser.id), merge(a.id, loser.id)]);
    const ids = made.flatMap(({ status, body }) => (status === 200 ? [body.id] : []));
    expect(new Set(ids).size).toBe(1);
    const other = await newHub();
    const theirs = await newSandbox(other, { provider_data: { provider: 'sandbox', number: '+15550100011' } });
    await inbound(other, theirs.id, tels[0] ?? '', 'hi');
    const foreign = await eventually(async () => {
      const { result } = await ok(other.call('GET', '/v1.0/contacts'));
      expect(result).toHaveLength(1);
      return result[0];
    });
    expect((await merge(a.id, foreign.id)).status).toBe(400);
    expect((await merge(a.id, a.id)).status).toBe(400);
    expect((await merge(foreign.id, a.id)).status).toBe(404);
  });
});

describe('moving an address', () => {
  test('takes it out of the other open conversation, in one step', async () => {
    const [one, two, third] = [nextTel(), nextTel(), nextTel()];
    const from = await ok(
      hub.call('POST', '/v1.0/conversations', {
        participants: [{ name: 'Ada', addresses: [one, two].map((target) => ({ type: 'tel', target })) }],
      }),
    );
    const into = await says(third);
    const add = (body: Json) => hub.call('POST', `/v1.0/conversations/${into}/participants`, body);
    const taken = await add({ type: 'tel', target: two });
    expect(taken).toMatchObject({ status: 409, body: { error: { details: { conversation_ids: [from.id] } } } });
    expect(await ok(add({ type: 'tel', target: two, move: true }))).toMatchObject({ type: 'tel', target: two });
    expect(await says(two, 'moved')).toBe(into);
    expect((await conversation(from.id)).participants[0].addresses).toEqual([{ type: 'tel', target: one }]);
    expect(await says(one, 'stayed')).toBe(from.id);
    // The last one: the conversation goes on there as a whole.
    await ok(add({ type: 'tel', target: one, move: true }));
    expect(await says(one, 'moved too')).toBe(into);
    expect(await conversation(from.id)).toMatchObject({ state: 'closed', merged_into: into });
  });
});

/** Every row of every table of D1, as text. */
async function everythingInD1(): Promise<string> {
  const tables = await env.DB.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'",
  ).all<{ name: string }>();
  const rows = await Promise.all(
    tables.results.map(async ({ name }) => (await env.DB.prepare(`SELECT * FROM "${name}"`).all()).results),
  );
  return JSON.stringify(rows);
}

async function everythingIn(namespace: DurableObjectNamespace<undefined>): Promise<string> {
  const ids = await listDurableObjectIds(namespace);
  const dumps = await Promise.all(
    ids.map((id) =>
      runInDurableObject(namespace.get(id), (_, state) => {
        const tables = state.storage.sql
          .exec<{ name: string }>(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'",
          )
          .toArray();
        const rows = tables.map(({ name }) => state.storage.sql.exec(`SELECT * FROM "${name}"`).toArray());
        return JSON.stringify([rows, [...state.storage.kv.list()]]);
      }),
    ),
  );
  return dumps.join('\n');
}

/** All that is stored anywhere. */
async function everything(): Promise<string> {
  const objects = [env.CONVERSATION, env.ADDRESS, env.DIRECTORY, env.FEED];
  const { objects: files } = await env.MEDIA.list();
  const contents = await Promise.all(
    files.map(async ({ key }) => `${key} ${await (await env.MEDIA.get(key))?.text()}`),
  );
  const dumps = await Promise.all(objects.map((each) => everythingIn(each)));
  return [await everythingInD1(), ...dumps, ...contents].join('\n');
}

describe('an erasure', () => {
  test('leaves nothing of the contact anywhere, and neither a redelivery nor a rebuild brings anything back', async () => {
    const [phone, mail, word] = [
      nextTel(),
      `gone-${crypto.randomUUID()}@company.example`,
      `w${crypto.randomUUID().slice(0, 8)}`,
    ];
    const id = await says(phone, `my secret ${word}`);
    await ok(
      hub.call('POST', `/v1.0/conversations/${id}/participants`, {
        name: 'Greta Gone',
        addresses: [
          { type: 'tel', target: phone },
          { type: 'email', target: mail },
        ],
      }),
    );
    const messageId = `gone-${crypto.randomUUID()}@company.example`;
    const boundary = [
      'Content-Type: multipart/mixed; boundary=b',
      '',
      '--b',
      'Content-Type: text/plain',
      '',
      `mail ${word}`,
    ];
    const file = [
      '--b',
      'Content-Type: text/plain; name=f.txt',
      'Content-Disposition: attachment',
      '',
      `file ${word}`,
      '--b--',
      '',
    ];
    const head = [`From: Greta Gone <${mail}>`, `To: ${own}`, `Message-ID: <${messageId}>`, `Subject: subject ${word}`];
    const raw = [...head, 'MIME-Version: 1.0', ...boundary, ...file].join('\r\n');
    await bringMail(env, { from: mail, to: own, raw });
    expect(await textsOf(id)).toEqual([`my secret ${word}`, `mail ${word}`]);
    await ok(hub.call('POST', `/v1.0/conversations/${id}/messages`, { text: `answer ${word}`, channel: 'sms' }));
    await eventually(async () => {
      const found = await ok(hub.call('GET', `/v1.0/conversations?q=${word}`));
      expect(found.result).toHaveLength(1);
      expect((await ok(hub.call('GET', `/v1.0/sandbox/outbox?account_id=${account.id}`))).result[0].text).toContain(
        word,
      );
    });
    const before = await everything();
    for (const text of [word, phone, mail, 'Greta']) expect(before).toContain(text);

    const contact = await contactOf(mail);
    const path = `/v1.0/contacts/${contact.id}`;
    expect((await hub.call('DELETE', path)).status).toBe(400);
    const receipt = await ok(hub.call('DELETE', `${path}?erase=true`));
    expect(receipt).toMatchObject({ contact_id: contact.id, conversations: 1, messages: 3, files: 1 });
    const after = await everything();
    for (const text of [word, phone, mail, 'Greta']) expect(after, text).not.toContain(text);
    expect((await hub.call('GET', path)).status).toBe(404);
    expect((await hub.call('GET', `/v1.0/conversations/${id}`)).status).toBe(404);
    expect((await ok(hub.call('GET', `/v1.0/conversations?q=${word}`))).result).toEqual([]);

    await bringMail(env, { from: mail, to: own, raw });
    await env.CONVERSATION.getByName(id).rebuild();
    await env.CONVERSATION.getByName(id).backstop();
    expect(await everything()).not.toContain(word);
    const next = await says(phone, 'I am new here');
    expect(next).not.toBe(id);
    expect(await textsOf(next)).toEqual(['I am new here']);
  });

  test('takes a contact out of a conversation with others, whose words stay', async () => {
    const [gone, stays, word] = [nextTel(), nextTel(), `w${crypto.randomUUID().slice(0, 8)}`];
    const made = await ok(
      hub.call('POST', '/v1.0/conversations', {
        name: `About ${gone}`,
        participants: [
          { name: 'Goner', addresses: [{ type: 'tel', target: gone }] },
          { type: 'tel', target: stays },
        ],
      }),
    );
    await says(gone, `mine ${word}`);
    await says(stays, 'this stays');
    await ok(hub.call('POST', `/v1.0/conversations/${made.id}/messages`, { text: 'to both' }));
    await eventually(async () => {
      const { result } = await ok(hub.call('GET', `/v1.0/conversations/${made.id}/messages`));
      expect(result[0].status).toBe('done');
    });
    const contact = await contactOf(gone);
    expect(await ok(hub.call('DELETE', `/v1.0/contacts/${contact.id}?erase=true`))).toMatchObject({ messages: 1 });
    expect(await textsOf(made.id)).toEqual(['this stays', 'to both']);
    expect((await conversation(made.id)).participants).toMatchObject([{ target: stays }]);
    await eventually(async () => {
      const { result } = await ok(hub.call('GET', '/v1.0/conversations?q=stays'));
      expect(result.map(({ id }: Json) => id)).toContain(made.id);
    });
    const after = await everything();
    for (const text of [word, 'Goner', 'mine']) expect(after, text).not.toContain(text);
    const phone = (await ok(hub.call('GET', `/v1.0/sandbox/outbox?account_id=${account.id}`))).result;
    expect(phone.filter(({ to }: Json) => to === gone)).toEqual([]);
    expect(after).not.toContain(gone);
    expect(await says(stays, 'still here')).toBe(made.id);
    const log = await ok(hub.call('GET', `/v1.0/events?after=0`));
    expect(log.result.length).toBeGreaterThan(0);
  });

  test('is an administrator’s alone', async () => {
    const phone = nextTel();
    await says(phone);
    const { id } = await contactOf(phone);
    const manager = { username: `m-${crypto.randomUUID()}@x.example`, password: 'long enough', permission: 64 };
    await ok(hub.call('POST', '/v1.0/agents', manager));
    const { token } = await ok(callWith(null)('POST', '/auth/login', manager));
    expect((await callWith(token)('DELETE', `/v1.0/contacts/${id}?erase=true`)).status).toBe(403);
    expect((await callWith(token)('GET', `/v1.0/contacts/${id}`)).status).toBe(200);
  });
});
