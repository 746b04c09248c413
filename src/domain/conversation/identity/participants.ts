import type {
  ContactAddress,
  PersonAddress,
  Person,
  ConversationState,
  KnownAddress,
  ChannelBinding,
  Message,
} from '../state.ts';
import { withoutBindings } from './bindings.ts';
import type { Refusal } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';

/** One text for one address, in which nothing is ambiguous. */
export const addressText = ({ type, target }: ContactAddress): string => `${type}:${target}`;

export const isSameAddress = (one: ContactAddress, other: ContactAddress): boolean =>
  one.type === other.type && one.target === other.target;

export const isAmong = (address: ContactAddress, list: readonly ContactAddress[]): boolean =>
  list.some((other) => isSameAddress(address, other));

/** An address as it is shown and handed on: without what this conversation thinks of it. */
export const plainAddress = ({ type, target }: ContactAddress): ContactAddress => ({ type, target });

/** An address that somebody vouches for. */
export const verifiedAddress = ({ type, target }: ContactAddress): PersonAddress => ({
  type,
  target,
  standing: 'verified',
  provedBy: [],
});

export const claimedAddress = ({ type, target }: ContactAddress): PersonAddress => ({
  type,
  target,
  standing: 'claimed',
  provedBy: [],
});

type WithAddresses = Pick<Person, 'addresses'>;

/** Those that are a person's, as far as anybody knows: verified or assumed. */
export const heldAddresses = ({ addresses }: WithAddresses): PersonAddress[] =>
  addresses.filter(({ standing }) => standing !== 'claimed');

/** Those that a person has only typed. */
export const claimedAddresses = ({ addresses }: WithAddresses): PersonAddress[] =>
  addresses.filter(({ standing }) => standing === 'claimed');

/** What is told of somebody who is in a conversation already. */
export type PersonUpdate = Pick<Person, 'name' | 'addresses'>;

/**
 * A person with what is told of it. An address is verified if either side knows it as verified. Whoever typed another address has corrected
 * the one before, so that only the claims of `told` count where it has some.
 */
export function withUpdate<P extends PersonUpdate>(person: P, update: PersonUpdate): P {
  const held = [...heldAddresses(person), ...heldAddresses(update)].reduce(withKnowledge, []);
  const typed = claimedAddresses(claimedAddresses(update).length > 0 ? update : person).reduce(withKnowledge, []);
  const claimed = typed.filter((one) => !isAmong(one, held));
  return { ...person, name: person.name || update.name, addresses: [...held, ...claimed] };
}

/** The list with what is known of one more address, which may stand in it already. */
function withKnowledge(list: PersonAddress[], address: PersonAddress): PersonAddress[] {
  const known = list.find((one) => isSameAddress(one, address));
  if (!known) return [...list, address];
  const standing = known.standing === 'verified' ? known.standing : address.standing;
  const provedBy = [...new Set([...known.provedBy, ...address.provedBy])];
  return list.map((one) => (one === known ? { ...known, standing, provedBy } : one));
}

/**
 * The one person that several are found to be. `as`: addresses of it that somebody vouches for; what else these people hold keeps its
 * standing, and everything that they have typed stays a claim.
 */
export const onePersonOf = (people: Person[], as: ContactAddress[]): PersonUpdate => ({
  name: people[0]?.name ?? '',
  addresses: [
    ...people.flatMap(heldAddresses).reduce(withKnowledge, as.map(verifiedAddress)),
    ...people.flatMap(claimedAddresses),
  ],
});

/** What comes of somebody joining these people: `known` is who that turns out to be, `person` the participant as it is then. */
export interface Joining {
  known: Person | null;
  person: Person;
}

/** Whoever has one of the addresses is the same person, and gets those that nobody has. An address that another one holds stays there. */
export function joiningOf(people: Person[], wanted: Person): Joining {
  const holder = (address: ContactAddress) => people.find((each) => isAmong(address, heldAddresses(each)));
  const known =
    heldAddresses(wanted)
      .map(holder)
      .find((each) => each !== undefined) ?? null;
  const fresh = wanted.addresses.filter((one) => one.standing === 'claimed' || !holder(one));
  return { known, person: withUpdate(known ?? { ...wanted, addresses: [] }, { name: '', addresses: fresh }) };
}

/** The person without these addresses, its claims to them included, and without what was proved of them or by them. */
export const withoutAddresses = <P extends WithAddresses>(person: P, gone: readonly ContactAddress[]): P =>
  withoutHeld({ ...person, addresses: person.addresses.filter((one) => !isAmong(one, gone)) }, gone);

/** The person as if it had never held these addresses. If it has claimed one of them, it still does. */
export function withoutHeld<P extends WithAddresses>(person: P, gone: readonly ContactAddress[]): P {
  const texts = gone.map(addressText);
  const addresses = person.addresses
    .filter((one) => one.standing === 'claimed' || !isAmong(one, gone))
    .map((one) => ({ ...one, provedBy: one.provedBy.filter((visitor) => !texts.includes(visitor)) }));
  return { ...person, addresses };
}

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

/** What a visitor of the web chat may see. What it has typed of itself proves nothing (spec section 11). */

/**
 * The addresses (addressText) whose messages a visitor may see: its own chat, and after a proof what it has proved and what else is verified
 * as that contact's. Somebody else may write from an address that is only assumed or claimed to be the visitor's.
 */
export function visibleAddresses(state: ConversationState, visitor: ContactAddress): string[] {
  const own = addressText(visitor);
  const person = holderOf(state, visitor);
  const held = person ? heldAddresses(person) : [];
  const proved = held.filter(({ provedBy }) => provedBy.includes(own));
  if (proved.length === 0) return [own];
  const verified = held.filter(({ standing }) => standing === 'verified');
  return [...new Set([own, ...[...proved, ...verified].map(addressText)])];
}

/** Whether somebody who may see the messages of these addresses may see this one. */
export function isVisibleTo(addresses: readonly string[], message: Message): boolean {
  if (message.direction === 'outgoing') return message.deliveries.some((each) => isTo(addresses, each));
  const { type, target } = message.source;
  return message.sender.type === 'contact' && addresses.includes(`${type}:${target}`);
}

/** A telephone number is reached by SMS, everything else by the channel of its own name. */
const isTo = (addresses: readonly string[], { channel, target }: Message['deliveries'][number]): boolean =>
  addresses.includes(`${channel === 'message' ? 'tel' : channel}:${target}`);
