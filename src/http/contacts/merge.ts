import { valueOf } from '../errors.ts';
import { advanceAll, joinConversations } from '../join-conversations.ts';
import { openHolders } from '../voipbin/claims.ts';
import type { Contact, JoinedConversation, Sides } from '../../domain/contacts.ts';
import { linksOf } from '../../domain/conversation/links.ts';
import { addressText } from '../../domain/conversation/participants.ts';
import type { ConversationState } from '../../domain/conversation/state.ts';
import { callObject, getConversation, getDirectory } from '../../objects/stubs.ts';
import { insertMerge, saveJournal, sidesOf, undoMerge, type ContactMerge } from '../../storage/contacts.ts';

/**
 * Two contacts are one person from now on: what was the loser's is the winner's, and their open conversations go on as one. Each step is
 * in the journal before it is done, so that whatever has happened can be undone. Null when one of them has just been merged elsewhere.
 */
export async function mergeContacts(
  env: Env,
  customerId: string,
  { winner, loser }: Sides,
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

/** One that stands already, and may have broken off: it is brought to its end. */
export async function resumeMerge(env: Env, merge: ContactMerge): Promise<ContactMerge> {
  const sides = await sidesOf(env, merge);
  return sides ? joinAll(env, merge, sides) : merge;
}

async function joinAll(env: Env, merge: ContactMerge, sides: Sides): Promise<ContactMerge> {
  const { customerId } = merge;
  const [into] = await openConversations(env, customerId, sides.winner);
  if (!into) return merge;
  let joined = merge;
  for (const from of await openConversations(env, customerId, sides.loser))
    if (from.id !== into.id) joined = await joinOne(env, joined, sides, { from, into: into.id });
  return joined;
}

/** Without those that nobody has begun yet. */
async function openConversations(env: Env, customerId: string, { addresses }: Contact): Promise<ConversationState[]> {
  const ids = await openHolders(env, customerId, addresses);
  const found = await Promise.all(ids.map((id) => callObject(() => getConversation(env, id).read(customerId))));
  return found.flatMap((each) => (each.ok ? [each.value] : []));
}

/** Where one of the two has ended meanwhile, nothing is left to join. */
async function joinOne(
  env: Env,
  merge: ContactMerge,
  sides: Sides,
  { from, into }: { from: ConversationState; into: string },
): Promise<ContactMerge> {
  const { customerId, journal } = merge;
  const begun = journal.joined.find((each) => each.from === from.id && each.into === into);
  const wanted = begun ?? planned(from, into, sides.loser);
  if (!wanted) return merge;
  const planning = begun ? journal : { ...journal, joined: [...journal.joined, wanted] };
  await saveJournal(env, merge.id, planning);
  const own = await addressesIn(env, customerId, into, sides.winner);
  const joined = await joinConversations(env, customerId, { from: from.id, into }, own);
  if (joined.ok) return { ...merge, journal: planning };
  await saveJournal(env, merge.id, journal);
  return merge;
}

/** A conversation with other people in it stays by itself; its other people must not find themselves elsewhere. */
function planned({ id, participants }: ConversationState, into: string, loser: Contact): JoinedConversation | null {
  const theirs = [loser.id, ...loser.mergedIds];
  if (!participants.every(({ contactId }) => theirs.includes(contactId))) return null;
  return { from: id, into, addresses: participants.flatMap(({ addresses }) => addresses) };
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
