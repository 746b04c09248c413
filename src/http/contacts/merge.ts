import { valueOf } from '../errors.ts';
import { advanceAll, joinConversations } from '../join-conversations.ts';
import { openHolders } from '../voipbin/claims.ts';
import type { Contact, MergeJournal } from '../../domain/contacts.ts';
import { linksOf } from '../../domain/conversation/links.ts';
import { addressText } from '../../domain/conversation/participants.ts';
import { callObject, getConversation, getDirectory } from '../../objects/stubs.ts';
import { insertMerge, saveJournal, undoMerge, type ContactMerge } from '../../storage/contacts.ts';

/**
 * Two contacts are one person from now on: what was the loser's is the winner's, and their open conversations go on as one. Each step is
 * in the journal before it is done, so that whatever has happened can be undone. Null when one of them has just been merged elsewhere.
 */
export async function mergeContacts(
  env: Env,
  customerId: string,
  { winner, loser }: { winner: Contact; loser: Contact },
  createdAt: number,
): Promise<ContactMerge | null> {
  const moved = [
    { contactId: loser.id, before: null },
    ...loser.mergedIds.map((contactId) => ({ contactId, before: loser.id })),
  ];
  const ids = { customerId, winnerId: winner.id, loserId: loser.id };
  const merge = { id: crypto.randomUUID(), ...ids, journal: { moved, joined: [] }, createdAt, undoneAt: null };
  if (!(await insertMerge(env, merge))) return null;
  return joinAll(env, merge, { winner, loser });
}

async function joinAll(
  env: Env,
  merge: ContactMerge,
  { winner, loser }: { winner: Contact; loser: Contact },
): Promise<ContactMerge> {
  const { customerId } = merge;
  const [into] = await openHolders(env, customerId, winner.addresses);
  const froms = (await openHolders(env, customerId, loser.addresses)).filter((id) => id !== into);
  if (into === undefined) return merge;
  let { journal } = merge;
  for (const from of froms) {
    const joined = await planned(env, merge, loser, { from, into });
    if (!joined) continue;
    journal = { ...journal, joined: [...journal.joined, joined] };
    await saveJournal(env, merge.id, journal);
    valueOf(await joinConversations(env, customerId, { from, into }, await addressesIn(env, customerId, into, winner)));
  }
  return { ...merge, journal };
}

/** A conversation with other people in it stays by itself; its other people must not find themselves elsewhere. */
async function planned(
  env: Env,
  { customerId }: ContactMerge,
  loser: Contact,
  { from, into }: { from: string; into: string },
): Promise<MergeJournal['joined'][number] | null> {
  const { participants } = valueOf(await callObject(() => getConversation(env, from).read(customerId)));
  const theirs = [loser.id, ...loser.mergedIds];
  if (!participants.every(({ contactId }) => theirs.includes(contactId))) return null;
  return { from, into, addresses: participants.flatMap(({ addresses }) => addresses) };
}

async function addressesIn(env: Env, customerId: string, id: string, { id: own, mergedIds }: Contact) {
  const { participants } = valueOf(await callObject(() => getConversation(env, id).read(customerId)));
  const known = participants.filter(({ contactId }) => [own, ...mergedIds].includes(contactId));
  return known.flatMap(({ addresses }) => addresses);
}

/** Everything as it was before: each contact its own, each conversation going on by itself with its own people. */
export async function unmergeContacts(env: Env, merge: ContactMerge, undoneAt: number): Promise<void> {
  const { customerId, journal } = merge;
  for (const { from, into, addresses } of journal.joined.toReversed()) {
    const before = await callObject(() => getConversation(env, from).read(customerId));
    const part = { kind: 'part' as const, from, addresses };
    await callObject(() => getConversation(env, into).rearrange(customerId, part));
    await callObject(() => getConversation(env, from).rearrange(customerId, { kind: 'unmerge', into }));
    await callObject(() => getDirectory(env, customerId).move(into, from, addresses.map(addressText)));
    if (before.ok) await advanceAll(env, linksOf(before.value), { from: into, into: from });
  }
  await undoMerge(env, merge, undoneAt);
}
