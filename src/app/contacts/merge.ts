import { withCustomerLock, type CustomerLock } from './lock.ts';
import { openHolders } from '../conversations/address-claims.ts';
import { joinConversations } from '../conversations/join.ts';
import type { Contact, Sides } from '../../domain/contacts.ts';
import { peopleOf, heldAddresses } from '../../domain/conversation/identity/participants.ts';
import type { ConversationState } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { microsOf } from '../../domain/time.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
import { findContact, insertMerge, mergerOf, saveJournal, sidesOf, type ContactMerge } from '../../storage/contacts.ts';

/**
 * Two contacts are one person from now on: what was the loser's is the winner's, and their open conversations go on as one. Asked again,
 * it finishes what may have broken off and gives the same merger.
 */
export async function mergeContacts(
  env: Env,
  customerId: string,
  winnerId: string,
  loserId: string,
): Promise<Result<ContactMerge, Refusal>> {
  const winner = await findContact(env, customerId, winnerId);
  if (!winner) return err({ code: 'CONTACT_NOT_FOUND' });
  const loser = await findContact(env, customerId, loserId);
  if (!loser) return err({ code: 'INVALID_FIELD', field: 'contact_id', problem: 'is not one of your contacts' });
  return withCustomerLock(env, customerId, async (lock) => {
    const standing = await mergerOf(env, customerId, loserId);
    return standing?.winnerId === winner.id ? resumeMerge(env, lock, standing) : mergeNew(env, lock, { winner, loser });
  });
}

async function mergeNew(env: Env, lock: CustomerLock, sides: Sides): Promise<Result<ContactMerge, Refusal>> {
  const { winner, loser } = sides;
  if (loser.id === winner.id)
    return err({ code: 'INVALID_FIELD', field: 'contact_id', problem: 'already belongs to this contact' });
  const moved = [
    { contactId: loser.id, before: null },
    ...loser.mergedIds.map((contactId) => ({ contactId, before: loser.id })),
  ];
  const merge = {
    id: crypto.randomUUID(),
    customerId: lock.customerId,
    winnerId: winner.id,
    loserId: loser.id,
    journal: { moved, joined: [], winnerName: winner.name },
    createdAt: microsOf(Date.now()),
    undoneAt: null,
  };
  if (!(await insertMerge(env, merge)))
    return err({ code: 'ALREADY_EXISTS', problem: 'one of these contacts was just merged by another request' });
  return joinAll(env, lock, merge, sides);
}

async function resumeMerge(env: Env, lock: CustomerLock, merge: ContactMerge): Promise<Result<ContactMerge, Refusal>> {
  const sides = await sidesOf(env, merge);
  return sides ? joinAll(env, lock, merge, sides) : ok(merge);
}

/** Each step is in the journal before it is done, so that whatever has happened can be undone. */
async function joinAll(
  env: Env,
  lock: CustomerLock,
  merge: ContactMerge,
  sides: Sides,
): Promise<Result<ContactMerge, Refusal>> {
  const { customerId } = merge;
  const [into] = await openConversations(env, customerId, sides.winner);
  if (!into) return ok(merge);
  let joined: Result<ContactMerge, Refusal> = ok(merge);
  for (const from of await openConversations(env, customerId, sides.loser))
    if (joined.ok && from.id !== into.id)
      joined = await joinOne(env, lock, joined.value, sides, { from, into: into.id });
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
  lock: CustomerLock,
  merge: ContactMerge,
  sides: Sides,
  { from, into }: { from: ConversationState; into: string },
): Promise<Result<ContactMerge, Refusal>> {
  const { customerId, journal } = merge;
  const found = await callObject(() => getConversation(env, into).read(customerId));
  if (!found.ok) return found;
  const isBegun = journal.joined.some((each) => each.from === from.id && each.into === into);
  if (!isBegun && !hasOnly(from, sides.loser)) return ok(merge);
  const planning = isBegun ? journal : { ...journal, joined: [...journal.joined, { from: from.id, into }] };
  await saveJournal(env, merge.id, planning);
  const addresses = peopleOf(found.value)
    .filter(({ contactId }) => isOf(sides.winner, contactId))
    .flatMap(heldAddresses);
  const joined = await joinConversations(env, lock, { from: from.id, into }, addresses);
  if (joined.ok) return ok({ ...merge, journal: planning });
  await saveJournal(env, merge.id, journal);
  return ok(merge);
}

/** A conversation with other people in it stays by itself; they must not find themselves elsewhere. */
const hasOnly = ({ participants }: ConversationState, contact: Contact): boolean =>
  participants.every(({ contactId }) => isOf(contact, contactId));

const isOf = ({ id, mergedIds }: Contact, contactId: string): boolean => [id, ...mergedIds].includes(contactId);
