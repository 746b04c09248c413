import type { Contact } from '../domain/contacts.ts';
import { addressText } from '../domain/conversation/participants.ts';
import { microsOf } from '../domain/time.ts';
import { callObject, getConversation, getDirectory } from '../objects/stubs.ts';
import {
  dropContacts,
  dropConversations,
  finishErasure,
  insertErasure,
  unusedUploads,
  type Erasure,
} from '../storage/erasures.ts';
import { dropFiles, dropConversationFiles, dropUploads } from '../storage/medias.ts';

export type Receipt = Erasure;

/**
 * Removes a contact everywhere: objects, D1 with its search, R2, claims. What it has begun is written down first, by ids alone, so that
 * the cron ends what breaks off. @returns the receipt. @throws when a part does not answer.
 */
export async function eraseContact(env: Env, customerId: string, contact: Contact): Promise<Receipt> {
  const erasure: Erasure = {
    id: crypto.randomUUID(),
    customerId,
    contactId: contact.id,
    contactIds: [contact.id, ...contact.mergedIds],
    conversationIds: await conversationsOf(env, customerId, contact),
    messages: 0,
    files: 0,
    createdAt: microsOf(Date.now()),
    doneAt: null,
  };
  await insertErasure(env, erasure);
  const texts = contact.addresses.map(addressText);
  await callObject(() => getDirectory(env, customerId).forget([], texts));
  return finish(env, erasure);
}

/** As D1 knows them, and what may not have reached it. */
async function conversationsOf(
  env: Env,
  customerId: string,
  { addresses, conversationIds }: Contact,
): Promise<string[]> {
  const texts = addresses.map(addressText);
  const held = await callObject(() => getDirectory(env, customerId).holders(texts));
  return [...new Set([...conversationIds, ...held])];
}

/** Everything but the addresses' claims, which need the addresses. May be repeated from the beginning. */
export async function finish(env: Env, erasure: Erasure): Promise<Receipt> {
  const { customerId, contactIds, conversationIds } = erasure;
  const erased = await Promise.all(conversationIds.map((id) => eraseIn(env, customerId, id, contactIds)));
  const whole = conversationIds.filter((_, index) => erased[index]?.isWhole);
  const partial = conversationIds.filter((_, index) => erased[index]?.isWhole === false);
  await callObject(() => getDirectory(env, customerId).forget(whole, []));
  const names = erased.flatMap((each) => each?.addressNames ?? []).filter((name) => name !== '');
  await Promise.all([...new Set(names)].map((name) => forget(env, name, whole)));
  await dropConversations(env, [...whole, ...partial]);
  await dropContacts(env, contactIds);
  const files = await dropAllFiles(env, erasure, erased, whole);
  await Promise.all(partial.map((id) => callObject(() => getConversation(env, id).rebuild())));
  const messages = erased.reduce((sum, each) => sum + (each?.messageIds.length ?? 0), 0);
  const done = { ...erasure, messages, files, doneAt: microsOf(Date.now()) };
  await finishErasure(env, done);
  return done;
}

type Erased = Awaited<ReturnType<typeof eraseIn>>;

const eraseIn = (env: Env, customerId: string, id: string, contactIds: string[]) =>
  callObject(() => getConversation(env, id).erase(customerId, contactIds));

async function forget(env: Env, name: string, erased: string[]): Promise<void> {
  const alias = await callObject(() => env.ADDRESS.getByName(name).forget(erased));
  if (alias !== null) await callObject(() => env.ADDRESS.getByName(alias).forget(erased));
}

async function dropAllFiles(
  env: Env,
  { customerId, conversationIds }: Erasure,
  erased: Erased[],
  whole: string[],
): Promise<number> {
  const counts = await Promise.all(
    conversationIds.map(async (conversationId, index) => {
      if (whole.includes(conversationId)) return dropConversationFiles(env, { customerId, conversationId });
      const ids = erased[index]?.messageIds ?? [];
      const each = await Promise.all(ids.map((messageId) => dropFiles(env, { customerId, conversationId, messageId })));
      return each.reduce((sum, count) => sum + count, 0);
    }),
  );
  const uploads = await unusedUploads(env, [...new Set(erased.flatMap((each) => each?.uploads ?? []))]);
  await dropUploads(env, customerId, uploads);
  return counts.reduce((sum, count) => sum + count, 0) + uploads.length;
}
