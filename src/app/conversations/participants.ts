import { claimFor, openHolders } from './address-claims.ts';
import { moveAddresses } from './join.ts';
import { withCustomerLock } from '../contacts/lock.ts';
import {
  peopleOf,
  addressText,
  heldAddresses,
  isAmong,
  verifiedAddress,
} from '../../domain/conversation/identity/participants.ts';
import { isOver } from '../../domain/conversation/decide-change.ts';
import type { ConversationState, ContactAddress, NewParticipant, Person } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { callObject, getConversation, getDirectory } from '../../objects/stubs.ts';
import { uuidFrom } from '../../security/encoding.ts';

/** A person as a caller describes it. */
export interface PersonDetails {
  name: string;
  addresses: ContactAddress[];
  /** A conversation type, or empty. */
  preferredChannel: string;
}

/** A person as it joins a conversation. The first of its addresses makes its contact's id: the same everywhere, and nothing has to be asked. */
export async function participantOf(
  customerId: string,
  name: string,
  addresses: readonly ContactAddress[],
  preferredChannel = '',
): Promise<NewParticipant> {
  const [first] = addresses;
  const contactId = await uuidFrom(`contact ${customerId} ${first ? addressText(first) : ''}`);
  return { id: crypto.randomUUID(), contactId, name, preferredChannel, addresses: addresses.map(verifiedAddress) };
}

/**
 * Adds a person to an open conversation: who has one of the addresses there already gets the others. `move` takes the addresses out of
 * the other open conversations that hold them; without it those are refused with ADDRESS_TAKEN.
 */
export async function addParticipant(
  env: Env,
  state: ConversationState,
  { name, addresses, preferredChannel }: PersonDetails,
  move: boolean,
): Promise<Result<Person, Refusal>> {
  const { id, customerId } = state;
  // Addresses are claimed only for a conversation that goes on.
  if (isOver(state)) return err({ code: 'CONVERSATION_CLOSED' });
  const moved = move ? await moveHere(env, customerId, id, addresses) : ok(null);
  if (!moved.ok) return moved;
  const claimed = await claimFor(env, customerId, id, addresses);
  if (!claimed.ok) return claimed;
  const person = await participantOf(customerId, name, addresses, preferredChannel);
  const after = await callObject(() => getConversation(env, id).addParticipant(customerId, person));
  if (!after.ok) return after;
  const found = peopleOf(after.value).find((each) => heldAddresses(each).some((one) => isAmong(one, addresses)));
  return found ? ok(found) : err({ code: 'PARTICIPANT_NOT_FOUND' });
}

const moveHere = (env: Env, customerId: string, into: string, addresses: ContactAddress[]) =>
  withCustomerLock(env, customerId, async (lock) => {
    for (const from of await openHolders(env, customerId, addresses)) {
      const moved = from === into ? ok(null) : await moveAddresses(env, lock, { from, into }, addresses);
      if (!moved.ok) return moved;
    }
    return ok(null);
  });

/** Removes a person with every address; not the last person. @returns the participant as it was. */
export async function removeParticipant(
  env: Env,
  customerId: string,
  id: string,
  participantId: string,
): Promise<Result<Person, Refusal>> {
  const before = await callObject(() => getConversation(env, id).removeParticipant(customerId, participantId));
  if (!before.ok) return before;
  const removed = peopleOf(before.value).find((each) => each.id === participantId);
  if (!removed) return err({ code: 'PARTICIPANT_NOT_FOUND' });
  const addresses = heldAddresses(removed).map(addressText);
  await callObject(() => getDirectory(env, customerId).release(addresses, id));
  return ok(removed);
}

/** Removes one of a person's addresses, by its target; not the only one. @returns the participant without it. */
export async function removeAddress(
  env: Env,
  state: ConversationState,
  participantId: string,
  target: string,
): Promise<Result<Person, Refusal>> {
  const { id, customerId } = state;
  const person = peopleOf(state).find((each) => each.id === participantId);
  if (!person) return err({ code: 'PARTICIPANT_NOT_FOUND' });
  const refused = (problem: string) => err({ code: 'INVALID_FIELD', field: 'address', problem } as const);
  const held = heldAddresses(person);
  const addresses = held.filter((each) => each.target === target);
  if (addresses.length === 0) return refused('is not one of this participant’s addresses');
  if (addresses.length === held.length) return refused('is the only one: remove the participant');
  const release = { kind: 'release_addresses' as const, addresses };
  const after = await callObject(() => getConversation(env, id).changeMembership(customerId, release));
  if (!after.ok) return after;
  await callObject(() => getDirectory(env, customerId).release(addresses.map(addressText), id));
  return ok(peopleOf(after.value).find((each) => each.id === participantId) ?? person);
}
