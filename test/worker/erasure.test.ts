import { runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { resumeErasure } from '../../src/app/contacts/erase.ts';
import { insertErasure } from '../../src/storage/erasures.ts';
import { email, mailWithFile, newErasing, newMail, newWord, tel, type Erasing } from '../support/erasing.ts';
import { faults, heal } from '../support/faults.ts';
import { ok, type Json } from '../support/hub.ts';
import { leftoversOf } from '../support/leftovers.ts';
import { bringMail } from '../support/mails.ts';

let shop: Erasing;
const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  shop.hub.call(method, `/v1.0/${path}`, body, headers);

beforeAll(async () => {
  shop = await newErasing('+1555740');
});
afterEach(() => heal());

const merge = (winner: Json, loser: Json): Promise<Json> =>
  ok(call('POST', `contacts/${winner.id}/merge`, { contact_id: loser.id }));
const undo = ({ id }: Json): Promise<Json> => ok(call('POST', `contact_merges/${id}/undo`));
/** Everything that follows from a change is over. */
const quiet = () => scheduler.wait(300);

describe('an erasure leaves nothing of', () => {
  test('somebody who had been removed from the conversation before', async () => {
    const [gone, stays, word] = [shop.nextTel(), shop.nextTel(), newWord()];
    const made = await shop.group([tel(gone)], stays);
    await shop.says(gone, `mine ${word}`);
    const { id } = await shop.contactOf(gone);
    await shop.found(word);
    await shop.removeFrom(made.id, gone);
    await quiet();
    await shop.erase(id);
    expect(await leftoversOf([word, gone])).toEqual([]);
  });

  test('what was said in the other’s conversation during a merger that was undone', async () => {
    const [gone, stays, word] = [shop.nextTel(), shop.nextTel(), newWord()];
    await shop.says(gone, 'hi');
    await shop.says(stays, 'hi');
    const [loser, winner] = [await shop.contactOf(gone), await shop.contactOf(stays)];
    const merged = await merge(winner, loser);
    await shop.says(gone, `meanwhile ${word}`);
    await shop.found(word);
    await undo(merged);
    await quiet();
    await shop.erase(loser.id);
    expect(await leftoversOf([word, gone])).toEqual([]);
  });

  test('an address in the record of a merger of two others', async () => {
    const tels = [shop.nextTel(), shop.nextTel(), shop.nextTel()];
    for (const each of tels) await shop.says(each);
    const [a, b, c] = await Promise.all(tels.map((each) => shop.contactOf(each)));
    const first = await merge(b, c);
    const second = await merge(a, b);
    await undo(second);
    await undo(first);
    await shop.erase(c.id);
    expect(await leftoversOf([tels[2] ?? '', c.id])).toEqual([`D1 erasures: ${c.id}`]);
    expect((await undo(second)).joined_conversations).toEqual(second.joined_conversations);
  });

  test('an address that another contact has as well', async () => {
    const [phone, mail, word] = [shop.nextTel(), newMail(), newWord()];
    await bringMail(env, { to: shop.own, from: mail, text: `by mail ${word}` });
    await shop.found(word);
    const [before] = (await shop.contactOf(mail)).conversation_ids;
    await ok(call('PUT', `conversations/${before}`, { ai_mode: 'closed' }));
    const participants = [{ name: 'Ada', addresses: [tel(phone), email(mail)] }];
    await ok(call('POST', 'conversations', { participants }));
    const contact = await shop.contactOf(phone);
    expect(contact.addresses.map(({ target }: Json) => target)).toContain(mail);
    await shop.erase(contact.id);
    expect(await leftoversOf([mail, word])).toEqual([]);
  });

  test('a name or an address in what is answered again under an Idempotency-Key', async () => {
    const [gone, stays] = [shop.nextTel(), shop.nextTel()];
    const made = await shop.group([tel(shop.nextTel())], stays);
    const keyed = (path: string, body?: unknown) => {
      const key = { 'idempotency-key': crypto.randomUUID() };
      return () => call('POST', path, body, key);
    };
    const asks = [
      keyed('conversations', { participants: [{ name: 'Goner', addresses: [tel(gone)] }] }),
      keyed(`conversations/${made.id}/unassign`),
    ];
    for (const ask of asks) await ok(ask());
    const { participants } = await shop.conversation(made.id);
    await shop.erase(participants.find(({ name }: Json) => name === 'Goner').contact_id);
    await shop.erase((await shop.contactOf(gone)).id);
    for (const ask of asks) expect(JSON.stringify((await ask()).body)).not.toContain('Goner');
  });

  test('sends that are under way, and ways in reserve', async () => {
    const [gone, stays, mail] = [shop.nextTel(), shop.nextTel(), newMail()];
    await ok(call('PUT', `conversation_accounts/${shop.account.id}`, { fallback: true }));
    const made = await shop.group([tel(gone), email(mail)], stays);
    await shop.says(gone, 'hi');
    faults.queueLoses = true;
    await ok(call('POST', `conversations/${made.id}/messages`, { text: 'to both' }));
    await shop.erase((await shop.contactOf(gone)).id);
    heal();
    expect(await leftoversOf([gone, mail])).toEqual([]);
  });

  test('files of a mail that came after its sender had been removed', async () => {
    const [stays, mail, word] = [shop.nextTel(), newMail(), newWord()];
    const made = await shop.group([email(mail)], stays);
    await bringMail(env, { to: shop.own, from: mail, text: 'first' });
    expect(await shop.textsOf(made.id)).toEqual(['first']);
    await shop.removeFrom(made.id, mail);
    await bringMail(env, { to: shop.own, from: mail, raw: mailWithFile(mail, shop.own, word) });
    expect(await leftoversOf([word])).toHaveLength(1);
    await shop.erase((await shop.contactOf(mail)).id);
    expect(await leftoversOf([word])).toEqual([]);
  });

  test('files, when it broke off in the middle and the cron begins it again', async () => {
    const [stays, mail, word] = [shop.nextTel(), newMail(), newWord()];
    const { id } = await shop.group([email(mail)], stays);
    await bringMail(env, { to: shop.own, from: mail, raw: mailWithFile(mail, shop.own, word) });
    const { id: contactId } = await shop.contactOf(mail);
    const { customerId } = shop.hub;
    const whom = { customerId, contactId, contactIds: [contactId], conversationIds: [id] };
    const erasure = { id: crypto.randomUUID(), ...whom, messages: 0, files: 0, createdAt: 1, doneAt: null };
    await insertErasure(env, erasure);
    // The Worker dies after the object was done, before R2 was.
    await env.CONVERSATION.getByName(id).erase(customerId, [contactId]);
    expect(await resumeErasure(env, erasure)).toMatchObject({ messages: 1, files: 1 });
    expect(await leftoversOf([word, mail])).toEqual([]);
  });

  test('the lists’ copies, when the object died between deleting and writing its tombstone', async () => {
    const [gone, word] = [shop.nextTel(), newWord()];
    const id = await shop.says(gone, word);
    await shop.found(word);
    const contact = await shop.contactOf(gone);
    const object = () => env.CONVERSATION.getByName(id);
    await runInDurableObject(object(), (_, { storage }) => storage.deleteAll());
    await runInDurableObject(object(), (_, state) => state.abort()).catch(() => undefined);
    await shop.erase(contact.id);
    expect(await leftoversOf([gone, word])).toEqual([]);
    expect(await shop.says(gone)).not.toBe(id);
  });
});

test('an erasure takes nothing of somebody who was merged into the contact by mistake', async () => {
  const [winner, loser, word] = [shop.nextTel(), shop.nextTel(), newWord()];
  await shop.says(winner, 'hi');
  const own = await shop.says(loser, `mine ${word}`);
  const [kept, erased] = [await shop.contactOf(loser), await shop.contactOf(winner)];
  await undo(await merge(erased, kept));
  await quiet();
  await shop.erase(erased.id);
  expect(await shop.textsOf(own)).toEqual([`mine ${word}`]);
  expect((await shop.contactOf(loser)).id).toBe(kept.id);
  expect(await shop.says(loser)).toBe(own);
});

test('erasures of a contact at once, while it writes, leave nothing of its conversation and lose nothing else', async () => {
  for (let round = 0; round < 4; round += 1) await eraseWhileWriting();
});

async function eraseWhileWriting(): Promise<void> {
  const gone = shop.nextTel();
  const old = await shop.says(gone, 'hi');
  const { id } = await shop.contactOf(gone);
  const texts = Array.from({ length: 6 }, (_, index) => `x${index}`);
  const writing = texts.map((text) =>
    call('POST', 'sandbox/inbound', { account_id: shop.account.id, from: gone, text }),
  );
  const erased = await Promise.all([1, 2, 3].map(() => call('DELETE', `contacts/${id}?erase=true`)));
  const said = await Promise.all(writing);
  expect(erased.map(({ status }) => status).filter((status) => status !== 200 && status !== 404)).toEqual([]);
  expect(said.map(({ status }) => status).filter((status) => status !== 200)).toEqual([]);
  await quiet();
  for (const table of ['messages', 'search_texts', 'contact_memberships', 'contact_address_history']) {
    const { results } = await env.DB.prepare(`SELECT * FROM ${table} WHERE conversation_id = ?`).bind(old).all();
    expect({ table, results }).toEqual({ table, results: [] });
  }
  expect(await shop.says(gone, 'last')).not.toBe(old);
}
