import { ApiError } from '../errors.ts';
import { advanceAll } from '../join-conversations.ts';
import { openHolders } from '../voipbin/claims.ts';
import type { JoinedConversation } from '../../domain/contacts.ts';
import { bindingsOf } from '../../domain/conversation/identity/bindings.ts';
import { peopleOf } from '../../domain/conversation/identity/membership.ts';
import { addressText, heldAddresses, type ContactAddress } from '../../domain/conversation/identity/participants.ts';
import { callObject, getConversation, getDirectory } from '../../objects/stubs.ts';
import { mergerOf, undoMerge, type ContactMerge } from '../../storage/contacts.ts';

/**
 * Everything as it was before: each contact its own, each conversation going on by itself with its own people.
 * @throws 409 while the winner is somebody else's itself: what came with it would be left behind there.
 */
export async function unmergeContacts(env: Env, merge: ContactMerge, undoneAt: number): Promise<void> {
  const { customerId, journal, winnerId } = merge;
  const later = await mergerOf(env, customerId, winnerId);
  if (later)
    throw new ApiError('ALREADY_EXISTS', 'the contact was merged into another one since: undo that merger first', {
      contact_merge_id: later.id,
    });
  for (const joined of journal.joined.toReversed()) await part(env, customerId, joined);
  await undoMerge(env, merge, undoneAt);
}

/** It is open again before its people are sent back to it, so that no message of theirs finds both of them closed. */
async function part(env: Env, customerId: string, joined: JoinedConversation): Promise<void> {
  const { from, into, absorbed } = joined;
  const conversation = () => getConversation(env, from).read(customerId);
  const before = await callObject(conversation);
  // It has kept its people as they were when it went on in the other one.
  const addresses = before.ok ? peopleOf(before.value).flatMap(heldAddresses) : [];
  const goesOn = await reopen(env, customerId, joined, addresses);
  const parting = { kind: 'split_off' as const, from, ...(absorbed ? { absorbed } : {}) };
  await callObject(() => getConversation(env, into).changeMembership(customerId, parting));
  const back = await callObject(conversation);
  if (goesOn && back.ok) await advanceAll(env, bindingsOf(back.value), { from: into, into: from });
}

/** False where its contact has gone on elsewhere since: it must not be in two open conversations. */
async function reopen(
  env: Env,
  customerId: string,
  { from, into }: JoinedConversation,
  addresses: ContactAddress[],
): Promise<boolean> {
  const isHere = async (): Promise<boolean> => {
    const holders = await openHolders(env, customerId, addresses);
    return holders.every((id) => id === into || id === from);
  };
  if (!(await isHere())) return false;
  await callObject(() => getConversation(env, from).changeMembership(customerId, { kind: 'unmerge', into }));
  await callObject(() => getDirectory(env, customerId).move(into, from, addresses.map(addressText)));
  // From here on the directory sends the contact to it; who was faster has begun another one.
  if (await isHere()) return true;
  await callObject(() => getConversation(env, from).changeMembership(customerId, { kind: 'merge', into }));
  return false;
}
