import { valueOf } from '../errors.ts';
import { joinConversations } from '../join-conversations.ts';
import { openHolders } from '../voipbin/claims.ts';
import type { Contact, Sides } from '../../domain/contacts.ts';
import { peopleOf } from '../../domain/conversation/identity/membership.ts';
import { heldAddresses } from '../../domain/conversation/identity/participants.ts';
import type { ConversationState } from '../../domain/conversation/state.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
import { insertMerge, saveJournal, sidesOf, type ContactMerge } from '../../storage/contacts.ts';

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
  const merge = {
    id: crypto.randomUUID(),
    ...ids,
    journal: { moved, joined: [], winnerName: winner.name },
    createdAt,
    undoneAt: null,
  };
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
  const isBegun = journal.joined.some((each) => each.from === from.id && each.into === into);
  if (!isBegun && !hasOnly(from, sides.loser)) return merge;
  const planning = isBegun ? journal : { ...journal, joined: [...journal.joined, { from: from.id, into }] };
  await saveJournal(env, merge.id, planning);
  const addresses = await addressesIn(env, customerId, into, sides.winner);
  const joined = await joinConversations(env, customerId, { from: from.id, into }, addresses);
  if (joined.ok) return { ...merge, journal: planning };
  await saveJournal(env, merge.id, journal);
  return merge;
}

/** A conversation with other people in it stays by itself; its other people must not find themselves elsewhere. */
const hasOnly = ({ participants }: ConversationState, { id, mergedIds }: Contact): boolean =>
  participants.every(({ contactId }) => [id, ...mergedIds].includes(contactId));

/** What a contact holds in a conversation. */
async function addressesIn(env: Env, customerId: string, conversationId: string, { id, mergedIds }: Contact) {
  const state = valueOf(await callObject(() => getConversation(env, conversationId).read(customerId)));
  const theirs = peopleOf(state).filter(({ contactId }) => [id, ...mergedIds].includes(contactId));
  return theirs.flatMap(heldAddresses);
}
