import { withoutBindings, type ChannelBinding } from './bindings.ts';
import {
  claimedAddresses,
  heldAddresses,
  isAmong,
  isSameAddress,
  plainAddress,
  withUpdate,
  withoutAddresses,
  type ContactAddress,
  type KnownAddress,
  type Person,
  type PersonAddress,
  type PersonUpdate,
} from './participants.ts';
import type { Refusal } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import type { ConversationState } from '../state.ts';

/** Who is in a conversation and whose an address is. What changes it is decided in decide-membership.ts and merge.ts. */

type OfPerson = PersonAddress & { participantId: string };

const isOfPerson = (address: KnownAddress): address is OfPerson => 'participantId' in address;

/** What identity rules read and write of a conversation. */
type Membership = Pick<ConversationState, 'participants' | 'addresses'>;

/** The participants, each with its addresses, in the order in which they joined. */
export const peopleOf = ({ participants, addresses }: Membership): Person[] =>
  participants.map((participant) => ({
    ...participant,
    addresses: addresses
      .filter(isOfPerson)
      .filter(({ participantId }) => participantId === participant.id)
      .map(({ type, target, standing, provedBy }) => ({ type, target, standing, provedBy })),
  }));

/** The only writer of both lists: every address in them is somebody's, and what is held is not released. */
export function withPeople<S extends Membership>(state: S, people: Person[]): S {
  const owned = people.flatMap(({ id, addresses }) => addresses.map((one) => ({ ...one, participantId: id })));
  const held = people.flatMap(heldAddresses);
  const others = state.addresses.filter(
    (one) => one.standing === 'erased' || (one.standing === 'released' && !isAmong(one, held)),
  );
  return {
    ...state,
    participants: people.map(({ id, contactId, name, preferredChannel, addedAt }) => ({
      id,
      contactId,
      name,
      preferredChannel,
      addedAt,
    })),
    addresses: [...owned, ...others],
  };
}

/** The participant whose address it is; a claim to it is not enough. */
export const holderOf = (state: Membership, address: ContactAddress): Person | null =>
  peopleOf(state).find((person) => isAmong(address, heldAddresses(person))) ?? null;

/** Whether a participant has typed it as its own. */
export const isClaimed = (state: Membership, address: ContactAddress): boolean =>
  peopleOf(state).some((person) => isAmong(address, claimedAddresses(person)));

/** An address that was taken out does not belong to this conversation any more, whoever still sends it here. */
export const isReleased = ({ addresses }: Membership, address: ContactAddress): boolean =>
  addresses.some((one) => one.standing === 'released' && isSameAddress(one, address));

/** An erasure took out the address behind this AddressObject, and nobody has added that address since. */
export const isErased = (state: Membership, { addressName, peer }: Pick<ChannelBinding, 'addressName' | 'peer'>) =>
  state.addresses.some((one) => one.standing === 'erased' && one.addressName === addressName) &&
  holderOf(state, peer) === null;

/** The state with the mark that an erasure leaves of each AddressObject. */
export function withErased<S extends Membership>(state: S, addressNames: string[]): S {
  const fresh = addressNames.filter(
    (name) => !state.addresses.some((one) => one.standing === 'erased' && one.addressName === name),
  );
  if (fresh.length === 0) return state;
  const marks = fresh.map((addressName) => ({ standing: 'erased' as const, addressName }));
  return { ...state, addresses: [...state.addresses, ...marks] };
}

/** The addresses are released, apart from those that somebody still holds. */
export function withReleased<S extends Membership>(state: S, gone: readonly ContactAddress[]): S {
  const fresh = gone.filter((one) => holderOf(state, one) === null && !isReleased(state, one));
  const released = fresh.reduce<ContactAddress[]>((list, one) => (isAmong(one, list) ? list : [...list, one]), []);
  const entries = released.map((one) => ({ ...plainAddress(one), standing: 'released' as const }));
  return { ...state, addresses: [...state.addresses, ...entries] };
}

/** None of these addresses is marked as released any more. The same object where none of them was. */
export function withoutReleases<S extends Membership>(state: S, addresses: readonly ContactAddress[]): S {
  const kept = state.addresses.filter((one) => one.standing !== 'released' || !isAmong(one, addresses));
  return kept.length === state.addresses.length ? state : { ...state, addresses: kept };
}

/**
 * Somebody wrote from an address that nobody here has: it is assumed to be another one of a participant who is here already, of whoever
 * has claimed it or else of the first.
 */
export function withAssumedAddress(state: ConversationState, { type, target }: ContactAddress): ConversationState {
  const address = { type, target };
  const people = peopleOf(state);
  const owner = people.find((person) => isAmong(address, claimedAddresses(person))) ?? people[0];
  if (!owner || holderOf(state, address)) return state;
  const assumed: PersonAddress = { ...address, standing: 'assumed', provedBy: [] };
  const claimed = claimedAddresses(owner).filter((one) => !isSameAddress(one, address));
  const wider = { ...owner, addresses: [...heldAddresses(owner), assumed, ...claimed] };
  return withPeople(
    state,
    people.map((person) => (person === owner ? wider : person)),
  );
}

/**
 * What is told of somebody who is in the conversation: its participant has it from then on. Participants who turn out to be one person
 * become one; the one that is known by more than the web chat stays. Nobody is added. The same object when nothing of it is new.
 */
export function attachPerson(state: ConversationState, update: PersonUpdate): ConversationState {
  const people = peopleOf(state);
  const known = knownAs(people, update);
  const primary = known.find((person) => heldAddresses(person).some(({ type }) => type !== 'chat')) ?? known[0];
  if (!primary) return state;
  const united = known.filter((each) => each !== primary).reduce(withUpdate, withUpdate(primary, update));
  if (known.length === 1 && JSON.stringify(united) === JSON.stringify(primary)) return state;
  const stay = people.filter((each) => each === primary || !known.includes(each));
  return withPeople(
    state,
    stay.map((each) => (each === primary ? united : each)),
  );
}

/** The people who hold one of these addresses. */
export function knownAs(people: Person[], update: PersonUpdate): Person[] {
  const theirs = heldAddresses(update);
  return people.filter((person) => heldAddresses(person).some((one) => isAmong(one, theirs)));
}

/** The conversation without some addresses, and who has left because it had no others. The same object where nobody held any of them. */
export interface Release {
  conversation: ConversationState;
  left: Person[];
}

/**
 * Some addresses go to another conversation. Somebody must stay, or else the whole conversation goes on there (merge.ts). `takeOut`: what of
 * them nobody here keeps.
 */
export function releaseAddresses(
  state: ConversationState,
  gone: ContactAddress[],
  takeOut: (person: Person, gone: ContactAddress[]) => Person = withoutAddresses,
): Result<Release, Refusal> {
  const people = peopleOf(state);
  const stay = people.map((person) => takeOut(person, gone)).filter((person) => heldAddresses(person).length > 0);
  if (stay.length === 0)
    return err({
      code: 'INVALID_FIELD',
      field: 'addresses',
      problem: 'are all addresses of the conversation; at least one must stay',
    });
  const held = gone.filter((one) => holderOf(state, one) !== null);
  if (held.length === 0) return ok({ conversation: state, left: [] });
  const isGone = ({ peer }: ChannelBinding): boolean =>
    isAmong(peer, gone) && !stay.some(({ addresses }) => isAmong(peer, addresses));
  const conversation = withoutBindings(withReleased(withPeople(state, stay), held), isGone);
  return ok({ conversation, left: people.filter(({ id }) => !stay.some((each) => each.id === id)) });
}
