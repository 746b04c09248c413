import { env } from 'cloudflare:workers';
import { expect, test } from 'vitest';
import { anInbound, anOpening } from '../unit/domain/support.ts';

const settings = { idleMs: 3600_000, closeMs: 7200_000, publicUrl: 'https://parley.example' };

/** A conversation's object, spoken to as the hooks do it. */
function aRoom() {
  const conversationId = crypto.randomUUID();
  const opening = anOpening({ conversationId, addressName: conversationId });
  const object = env.CONVERSATION.getByName(conversationId);
  const automation = { flow: null, assistant: null };
  const receive = (item: Parameters<typeof object.receive>[0]['item']) =>
    object.receive({ opening, automation, item, settings });
  return { object, receive, customerId: opening.customerId };
}

const message = (key: string, text: string) => anInbound({ dedupeKey: key, messageId: crypto.randomUUID(), text });
const unsend = (key: string, targetKey: string) => ({ kind: 'redaction' as const, dedupeKey: key, targetKey });

test('a message that was taken back before it came is not shown when it comes', async () => {
  const { object, receive, customerId } = aRoom();
  await receive(message('m1', 'first'));
  await receive(unsend('e2', 'm2'));
  expect(await receive(message('m2', 'regretted'))).toMatchObject({
    ok: true,
    value: { messageId: '', duplicate: true },
  });
  await receive(message('m3', 'last'));
  const listed = await object.listMessages(customerId, null, 10);
  expect(listed.ok && listed.value.map(({ text }) => text)).toEqual(['last', 'first']);
});

test('so is the very first message of a contact, and no conversation comes of it', async () => {
  const { object, receive, customerId } = aRoom();
  await receive(unsend('e1', 'm1'));
  await receive(message('m1', 'regretted'));
  expect(await object.read(customerId)).toMatchObject({ ok: false, error: { code: 'CONVERSATION_NOT_FOUND' } });
  await receive(message('m2', 'hello'));
  expect(await object.read(customerId)).toMatchObject({ ok: true, value: { sequence: 2 } });
});

test('taking back a message that is there empties it, however often it is delivered', async () => {
  const { object, receive, customerId } = aRoom();
  await receive(message('m1', 'regretted'));
  for (let time = 0; time < 3; time += 1) await receive(unsend('e1', 'm1'));
  expect(await object.read(customerId)).toMatchObject({ value: { sequence: 3 } });
  expect(await object.listMessages(customerId, null, 10)).toMatchObject({ ok: true, value: [] });
});
