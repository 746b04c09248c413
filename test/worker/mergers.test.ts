import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, test } from 'vitest';
import { withCustomerLock } from '../../src/app/contacts/lock.ts';
import { joinConversations } from '../../src/app/conversations/join.ts';
import { insertMerge } from '../../src/storage/contacts.ts';
import { eventually, inbound, newHub, newSandbox, ok, type Hub, type Json } from '../support/hub.ts';
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
const nextTel = (): string => `+1555730${String((people += 1)).padStart(4, '0')}`;
const says = async (from: string, text = 'hello'): Promise<string> =>
  (await inbound(hub, account.id, from, text)).conversation_id;
const tries = (from: string, text: string) =>
  hub.call('POST', '/v1.0/sandbox/inbound', { account_id: account.id, from, text });
const contactOf = (address: string): Promise<Json> =>
  eventually(async () => {
    const { result } = await ok(hub.call('GET', `/v1.0/contacts?address=${encodeURIComponent(address)}`));
    expect(result).toHaveLength(1);
    return result[0];
  });
const conversation = (id: string): Promise<Json> => ok(hub.call('GET', `/v1.0/conversations/${id}`));
const textsOf = async (id: string): Promise<string[]> => {
  const found: string[] = [];
  for (let token = ''; ;) {
    const page = await ok(
      hub.call('GET', `/v1.0/conversations/${id}/messages?page_token=${encodeURIComponent(token)}`),
    );
    found.push(...page.result.map(({ text }: Json) => text));
    token = page.next_page_token ?? '';
    if (token === '') return found.toReversed();
  }
};
const merge = (winner: string, loser: string) =>
  hub.call('POST', `/v1.0/contacts/${winner}/merge`, { contact_id: loser });
const undo = (id: string) => ok(hub.call('POST', `/v1.0/contact_merges/${id}/undo`));
/** People who have each said something in a conversation of their own. */
const some = async (count: number) => {
  const tels = Array.from({ length: count }, nextTel);
  const conversations: string[] = [];
  for (const tel of tels) conversations.push(await says(tel, `from ${tel}`));
  const contacts = await Promise.all(tels.map(contactOf));
  return { tels, conversations, ids: contacts.map(({ id }): string => id) };
};
const at = (list: string[], index: number): string => list[index] ?? '';
const mergedInto = async (id: string) =>
  (
    await env.DB.prepare('SELECT merged_into FROM contacts WHERE id = ?')
      .bind(id)
      .first<{ merged_into: string | null }>()
  )?.merged_into ?? null;

describe('mergers that cross', () => {
  test('A into B while B into A: one is made, the other refused, and both can still write', async () => {
    for (let round = 0; round < 4; round += 1) {
      const { tels, ids } = await some(2);
      const made = await Promise.all([merge(at(ids, 0), at(ids, 1)), merge(at(ids, 1), at(ids, 0))]);
      expect(made.filter(({ status }) => status === 200)).toHaveLength(1);
      expect(made.every(({ status }) => status < 500)).toBe(true);
      const into = [await mergedInto(at(ids, 0)), await mergedInto(at(ids, 1))];
      const said = [await tries(at(tels, 0), 'still there?'), await tries(at(tels, 1), 'still there?')];
      expect({ cycle: into.every((each) => each !== null), statuses: said.map(({ status }) => status) }).toEqual({
        cycle: false,
        statuses: [200, 200],
      });
    }
  });

  test('A takes B while B takes C: A has C', async () => {
    for (let round = 0; round < 4; round += 1) {
      const { ids } = await some(3);
      const made = await Promise.all([merge(at(ids, 0), at(ids, 1)), merge(at(ids, 1), at(ids, 2))]);
      if (made.some(({ status }) => status !== 200)) continue;
      const a = await ok(hub.call('GET', `/v1.0/contacts/${at(ids, 0)}`));
      expect(a.merged_ids.toSorted()).toEqual(ids.slice(1).toSorted());
    }
  });
});

describe('moves', () => {
  test('that cross: the contacts can still write', async () => {
    for (let round = 0; round < 4; round += 1) {
      const { tels, conversations } = await some(2);
      const move = (into: number, whose: number) =>
        hub.call('POST', `/v1.0/conversations/${conversations[into]}/participants`, {
          type: 'tel',
          target: tels[whose],
          move: true,
        });
      await Promise.all([move(0, 1), move(1, 0)]);
      const said = [await tries(at(tels, 0), 'still there?'), await tries(at(tels, 1), 'still there?')];
      expect(said.map(({ status }) => status)).toEqual([200, 200]);
    }
  });

  test('into a conversation that has just ended leave the other one open', async () => {
    const { tels, conversations } = await some(2);
    const [into, from] = [at(conversations, 0), at(conversations, 1)];
    // It ends between being found open and being joined.
    await ok(hub.call('PUT', `/v1.0/conversations/${into}`, { ai_mode: 'closed' }));
    const joined = await withCustomerLock(env, hub.customerId, (lock) =>
      joinConversations(env, lock, { from, into }, []),
    );
    expect(joined).toMatchObject({ ok: false });
    expect(await says(at(tels, 1), 'more')).toBe(from);
  });
});

describe('what holds where all else fails', () => {
  test('two conversations that go on in each other are followed by a new one', async () => {
    const { tels, conversations } = await some(2);
    const [one, two] = [at(conversations, 0), at(conversations, 1)];
    const goesOn = (from: string, into: string) =>
      env.CONVERSATION.getByName(from).changeMembership(hub.customerId, { kind: 'merge', into });
    await goesOn(one, two);
    await goesOn(two, one);
    for (const tel of tels) expect(conversations).not.toContain(await says(tel, 'anybody?'));
  });

  test('a lease is one’s until it is given back, or over', async () => {
    const directory = env.DIRECTORY.getByName(`lease-${crypto.randomUUID()}`);
    expect([await directory.lease('one', 60_000), await directory.lease('two', 60_000)]).toEqual([true, false]);
    await directory.endLease('two');
    expect(await directory.lease('two', 60_000)).toBe(false);
    await directory.endLease('one');
    expect([await directory.lease('two', 1), await directory.lease('two', 1)]).toEqual([true, true]);
    await eventually(async () => expect(await directory.lease('one', 60_000)).toBe(true));
  });
});

describe('chains', () => {
  test('A took B, C took A; undone the other way round: everybody is on its own', async () => {
    const { tels, conversations, ids } = await some(3);
    const first = await ok(merge(at(ids, 0), at(ids, 1)));
    const second = await ok(merge(at(ids, 2), at(ids, 0)));
    await undo(second.id);
    await undo(first.id);
    for (const [index, tel] of tels.entries()) expect(await says(tel, `again ${tel}`)).toBe(conversations[index]);
    for (const [index, tel] of tels.entries())
      expect(await textsOf(at(conversations, index))).toEqual([`from ${tel}`, `again ${tel}`]);
  });

  test('undone in the order in which they were made: refused until the later one is undone', async () => {
    const { tels, conversations, ids } = await some(3);
    const first = await ok(merge(at(ids, 0), at(ids, 1)));
    const second = await ok(merge(at(ids, 2), at(ids, 0)));
    const early = await hub.call('POST', `/v1.0/contact_merges/${first.id}/undo`);
    expect(early).toMatchObject({ status: 409, body: { error: { details: { contact_merge_id: second.id } } } });
    await undo(second.id);
    await undo(first.id);
    const wrote: string[] = [];
    for (const tel of tels) wrote.push(await says(tel, `again ${tel}`));
    const owners = await Promise.all(ids.map(mergedInto));
    expect({ wrote, owners }).toEqual({ wrote: conversations, owners: [null, null, null] });
  });
});

describe('an undo', () => {
  test('gives back the name', async () => {
    const phone = nextTel();
    const mail = `named-${crypto.randomUUID()}@company.example`;
    const bySms = await says(phone);
    await bringMail(env, {
      to: own,
      from: `Greta Named <${mail}>`,
      raw: [
        `From: Greta Named <${mail}>`,
        `To: ${own}`,
        `Message-ID: <${crypto.randomUUID()}@x>`,
        'Subject: s',
        '',
        'hi',
        '',
      ].join('\r\n'),
    });
    const before = (await conversation(bySms)).participants;
    const merged = await ok(merge((await contactOf(phone)).id, (await contactOf(mail)).id));
    await undo(merged.id);
    expect((await conversation(bySms)).participants).toEqual(before);
    expect((await contactOf(phone)).name).toBe('');
  });

  test('leaves one open conversation per address, also where the joint one was closed meanwhile', async () => {
    const { tels, conversations, ids } = await some(2);
    const merged = await ok(merge(at(ids, 0), at(ids, 1)));
    await ok(hub.call('PUT', `/v1.0/conversations/${conversations[0]}`, { ai_mode: 'closed' }));
    const next = await says(at(tels, 1), 'a new one');
    expect(next).not.toBe(conversations[1]);
    await undo(merged.id);
    const states = [(await conversation(next)).state, (await conversation(at(conversations, 1))).state];
    expect(states.filter((state) => state === 'active')).toHaveLength(1);
  });
});

describe('a merger that broke off', () => {
  test('after its first step is ended by its repeat', async () => {
    const { tels, conversations, ids } = await some(2);
    const [winnerId, loserId] = [at(ids, 0), at(ids, 1)];
    // What mergeContacts has done when the Worker dies after insertMerge.
    const journal = { moved: [{ contactId: loserId, before: null }], joined: [] };
    const made = {
      id: crypto.randomUUID(),
      customerId: hub.customerId,
      winnerId,
      loserId,
      journal,
      createdAt: Date.now() * 1000,
      undoneAt: null,
    };
    expect(await insertMerge(env, made)).toBe(true);
    const { status } = await merge(winnerId, loserId);
    expect({ status, to: await says(at(tels, 1), 'more') }).toEqual({ status: 200, to: conversations[0] });
  });
});

describe('messages that pour in', () => {
  test('during a merger and its undo are kept once, in one of the two', async () => {
    const { tels, conversations, ids } = await some(2);
    const sent: string[] = [];
    const went: string[] = [];
    let stop = false;
    const pour = async (tel: string, name: string) => {
      for (let count = 0; !stop && count < 60; count += 1) {
        const text = `${name} ${count}`;
        sent.push(text);
        const answer = await tries(tel, text);
        expect(answer.status, JSON.stringify(answer.body)).toBe(200);
        went.push(answer.body.conversation_id);
      }
    };
    const pouring = [pour(at(tels, 0), 'one'), pour(at(tels, 1), 'two'), pour(at(tels, 1), 'three')];
    const merged = await ok(merge(at(ids, 0), at(ids, 1)));
    await new Promise((resolve) => setTimeout(resolve, 200));
    await undo(merged.id);
    await new Promise((resolve) => setTimeout(resolve, 100));
    stop = true;
    await Promise.all(pouring);
    expect([...new Set(went)].filter((id) => !conversations.includes(id))).toEqual([]);
    const all = [...(await textsOf(at(conversations, 0))), ...(await textsOf(at(conversations, 1)))].filter(
      (text) => !text.startsWith('from'),
    );
    expect(all.toSorted()).toEqual(sent.toSorted());
  });

  test('moving one address while its owner writes', async () => {
    const [one, two, third] = [nextTel(), nextTel(), nextTel()];
    const from = await ok(
      hub.call('POST', '/v1.0/conversations', {
        participants: [{ name: 'Ada', addresses: [one, two].map((target) => ({ type: 'tel', target })) }],
      }),
    );
    const into = await says(third);
    await says(two, 'start');
    const writing = Array.from({ length: 10 }, (_, index) => says(two, `w${index}`));
    const moved = hub.call('POST', `/v1.0/conversations/${into}/participants`, {
      type: 'tel',
      target: two,
      move: true,
    });
    const more = Array.from({ length: 10 }, (_, index) => says(two, `v${index}`));
    expect((await moved).status).toBe(200);
    const where = await Promise.all([...writing, ...more]);
    expect(where.filter((id) => id !== from.id && id !== into)).toEqual([]);
    expect(await says(two, 'end')).toBe(into);
  });
});
