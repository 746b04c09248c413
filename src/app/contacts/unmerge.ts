import { withCustomerLock, type CustomerLock } from './lock.ts';
import { openHolders } from '../conversations/address-claims.ts';
import { advanceAll } from '../conversations/join.ts';
import type { JoinedConversation } from '../../domain/contacts.ts';
import { bindingsOf } from '../../domain/conversation/identity/bindings.ts';
import { peopleOf, addressText, heldAddresses } from '../../domain/conversation/identity/participants.ts';
import type { ContactAddress } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { microsOf } from '../../domain/time.ts';
import { callObject, getConversation, getDirectory } from '../../objects/stubs.ts';
import { findMerge, mergerOf, undoMerge, type ContactMerge } from '../../storage/contacts.ts';

/**
 * Undoes a merger: each contact is its own again, and each conversation goes on by itself with its own people. Idempotent. Refused with
 * ALREADY_EXISTS while the winner is merged into another contact itself: what came with it would be left behind there.
 */
export function unmergeContacts(env: Env, customerId: string, id: string): Promise<Result<ContactMerge, Refusal>> {
  return withCustomerLock(env, customerId, async (lock) => {
    const merge = await findMerge(env, customerId, id);
    if (!merge) return err({ code: 'RESOURCE_NOT_FOUND', problem: 'the merger does not exist' });
    if (merge.undoneAt !== null) return ok(merge);
    const later = await mergerOf(env, customerId, merge.winnerId);
    if (later) {
      const problem = 'the contact has since been merged into another one; undo that merger first';
      return err({ code: 'ALREADY_EXISTS', problem, contactMergeId: later.id });
    }
    for (const joined of merge.journal.joined.toReversed()) await splitOff(env, lock, joined);
    const undoneAt = microsOf(Date.now());
    await undoMerge(env, merge, undoneAt);
    return ok({ ...merge, undoneAt });
  });
}

/** It is open again before its people are sent back to it, so that no message of theirs finds both of them closed. */
async function splitOff(env: Env, lock: CustomerLock, joined: JoinedConversation): Promise<void> {
  const { customerId } = lock;
  const { from, into, absorbed } = joined;
  const readFrom = () => getConversation(env, from).read(customerId);
  const before = await callObject(readFrom);
  // It has kept its people as they were when it went on in the other one.
  const addresses = before.ok ? peopleOf(before.value).flatMap(heldAddresses) : [];
  const goesOn = await reopen(env, lock, joined, addresses);
  const split = { kind: 'split_off' as const, from, ...(absorbed ? { absorbed } : {}) };
  await callObject(() => getConversation(env, into).changeMembership(customerId, split));
  const back = await callObject(readFrom);
  if (goesOn && back.ok) await advanceAll(env, bindingsOf(back.value), { from: into, into: from });
}

/** False where its contact has gone on elsewhere since: it must not be in two open conversations. */
async function reopen(
  env: Env,
  { customerId }: CustomerLock,
  { from, into }: JoinedConversation,
  addresses: ContactAddress[],
): Promise<boolean> {
  const isHeldHere = async (): Promise<boolean> => {
    const holders = await openHolders(env, customerId, addresses);
    return holders.every((id) => id === into || id === from);
  };
  if (!(await isHeldHere())) return false;
  await callObject(() => getConversation(env, from).changeMembership(customerId, { kind: 'unmerge', into }));
  await callObject(() => getDirectory(env, customerId).move(into, from, addresses.map(addressText)));
  // From here on the directory sends the contact to it; a message that came before this has begun another one.
  if (await isHeldHere()) return true;
  await callObject(() => getConversation(env, from).changeMembership(customerId, { kind: 'merge', into }));
  return false;
}
