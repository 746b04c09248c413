import type { Contact } from '../../domain/contacts.ts';
import { addressText } from '../../domain/conversation/identity/participants.ts';
import type { ContactAddress } from '../../domain/conversation/state.ts';
import { microsOf } from '../../domain/time.ts';
import { callObject, getConversation, getDirectory } from '../../objects/stubs.ts';
import {
  dropContacts,
  dropConversations,
  dropPartsOf,
  finishErasure,
  insertErasure,
  unusedUploads,
  type Erasure,
} from '../../storage/erasures.ts';
import { dropFiles, dropConversationFiles, dropUploads } from '../../storage/medias.ts';
import { addressesOf, contactsWithOnly, conversationsWith } from '../../storage/address-history.ts';

/** What was erased: ids and counts alone. */
export type Receipt = Erasure;

/**
 * Removes a contact everywhere: objects, D1 with its search, R2, claims. The erasure is recorded first, by ids alone, so that the cron
 * can finish one that breaks off. @throws when a part does not answer.
 */
export async function eraseContact(env: Env, customerId: string, contact: Contact): Promise<Receipt> {
  const known = [contact.id, ...contact.mergedIds];
  const addresses = await addressesOf(env, customerId, known);
  const contactIds = [...new Set([...known, ...(await contactsWithOnly(env, customerId, addresses))])];
  const erasure: Erasure = {
    id: crypto.randomUUID(),
    customerId,
    contactId: contact.id,
    contactIds,
    conversationIds: await conversationsOf(env, customerId, contactIds, addresses),
    messages: 0,
    files: 0,
    createdAt: microsOf(Date.now()),
    doneAt: null,
  };
  await insertErasure(env, erasure);
  return resumeErasure(env, erasure);
}

/** Those that D1 knows, also the ones that they have left, and those that may not have reached D1 yet. */
async function conversationsOf(
  env: Env,
  customerId: string,
  contactIds: string[],
  addresses: ContactAddress[],
): Promise<string[]> {
  const held = await callObject(() => getDirectory(env, customerId).holders(addresses.map(addressText)));
  return [...new Set([...(await conversationsWith(env, customerId, contactIds, addresses)), ...held])];
}

/** Idempotent: where they were is known until everything else is done. The cron calls it for what broke off. */
export async function resumeErasure(env: Env, erasure: Erasure): Promise<Receipt> {
  const { customerId, contactIds, conversationIds } = erasure;
  const addresses = await addressesOf(env, customerId, contactIds);
  const directory = () => getDirectory(env, customerId);
  await callObject(() => directory().forget([], addresses.map(addressText)));
  const erased = (await Promise.all(conversationIds.map((id) => eraseIn(env, erasure, id, addresses)))).flat();
  const whole = erased.filter(({ isWhole }) => isWhole);
  const partial = erased.filter(({ isWhole }) => !isWhole);
  await callObject(() => directory().forget(idsOf(whole), []));
  const names = new Set(erased.flatMap(({ addressNames }) => addressNames));
  await Promise.all([...names].map((name) => forget(env, name, idsOf(erased))));
  await dropConversations(env, idsOf(whole));
  await dropPartsOf(env, idsOf(partial), {
    messageIds: partial.flatMap(({ messageIds }) => messageIds),
    targets: addresses.map(({ target }) => target),
  });
  const files = await dropAllFiles(env, customerId, erased);
  await Promise.all(partial.map(({ id }) => callObject(() => getConversation(env, id).rebuild())));
  await dropContacts(env, customerId, contactIds, addresses);
  const messages = erased.reduce((sum, { messageIds }) => sum + messageIds.length, 0);
  const done = { ...erasure, messages, files, doneAt: microsOf(Date.now()) };
  await finishErasure(env, done);
  return done;
}

const askToErase = (env: Env, { customerId, contactIds }: Erasure, id: string, addresses: ContactAddress[]) =>
  callObject(() => getConversation(env, id).erase(customerId, contactIds, addresses));

type Part = NonNullable<Awaited<ReturnType<typeof askToErase>>> & { id: string };

const idsOf = (parts: Part[]): string[] => parts.map(({ id }) => id);

/** What has gone there; nothing where it is not this customer's. */
async function eraseIn(env: Env, erasure: Erasure, id: string, addresses: ContactAddress[]): Promise<Part[]> {
  const erased = await askToErase(env, erasure, id, addresses);
  return erased ? [{ ...erased, id }] : [];
}

async function forget(env: Env, name: string, erased: string[]): Promise<void> {
  const alias = await callObject(() => env.ADDRESS.getByName(name).forget(erased));
  if (alias !== null) await callObject(() => env.ADDRESS.getByName(alias).forget(erased));
}

async function dropAllFiles(env: Env, customerId: string, erased: Part[]): Promise<number> {
  const counts = await Promise.all(erased.map((each) => dropFilesOf(env, customerId, each)));
  const uploads = await unusedUploads(env, [...new Set(erased.flatMap((each) => each.uploads))]);
  await dropUploads(env, customerId, uploads);
  return counts.reduce((sum, count) => sum + count, 0) + uploads.length;
}

async function dropFilesOf(env: Env, customerId: string, { id: conversationId, isWhole, messageIds }: Part) {
  if (isWhole) return dropConversationFiles(env, { customerId, conversationId });
  const each = await Promise.all(
    messageIds.map((messageId) => dropFiles(env, { customerId, conversationId, messageId })),
  );
  return each.reduce((sum, count) => sum + count, 0);
}
