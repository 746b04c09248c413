import type { AddressType } from '../../addresses.ts';
import type { Micros } from '../../time.ts';

/** Where somebody is reached, whichever account of ours does it. */
export interface ContactAddress {
  type: AddressType;
  target: string;
}

/**
 * Everything that a conversation knows about an address, in one list (`ConversationState.addresses`): what it is worth (`standing`), whose
 * it is (`participantId`), and which visitors of the web chat have proved it (`provedBy`).
 *
 * Why a flat list, and not a list in each participant:
 * - What every inbound message asks ("whose address is this?", "was it taken out?", "was it erased?") is answered from one place. Lists
 *   that stand apart can contradict each other: an address that is held and released, or vouched for and assumed.
 * - Released and erased addresses belong to no participant, and still need a place.
 * - A claim is an entry of its own, because anybody may type anybody's address: the same address may be claimed by one participant and
 *   held by another. It is held by at most one (`holderOf`), and a released address is held by none; `withPeople` is the only writer.
 *
 * The bindings that reach an address are not repeated here. A binding names its address itself (`peer`), one address may have several (one
 * for each account of ours), and each has a state of its own (window, consent).
 */
export type KnownAddress =
  | (PersonAddress & { participantId: string })
  /** It was taken out: what comes from there belongs to another conversation. */
  | (ContactAddress & { standing: 'released' })
  /**
   * An erasure took it out. The address itself must not be kept, so only the hashed name of the AddressObject that guarded it is
   * (objects/stubs.ts): what comes through there begins another conversation, unless somebody has added the address again.
   */
  | { standing: 'erased'; addressName: string };

/** An address as one of a participant's. */
export interface PersonAddress extends ContactAddress {
  /**
   * - `verified`: an administrator or the API named it, it is how a known contact writes, or it was proved. What it wrote may be shown to a
   *   visitor who has proved to be this person.
   * - `assumed`: somebody wrote from it into this conversation, and nobody has said that it is this person's.
   * - `claimed`: a visitor of the web chat typed it. It may receive answers, and proves nothing (spec section 11).
   */
  standing: 'verified' | 'assumed' | 'claimed';
  /** The visitors (addressText of their chat address) who have proved that it is theirs. Only ever of a verified address. */
  provedBy: string[];
}

/** Somebody in a conversation. The addresses stand beside it, in the conversation's list. */
export interface Participant {
  id: string;
  /** Derived from its first address: the same person has the same one in every conversation. */
  contactId: string;
  name: string;
  /** The conversation type (`message`, `line`, …) by which it likes to be written to, or empty. */
  preferredChannel: string;
  addedAt: Micros;
}

/** A participant with its addresses: those that it holds (verified or assumed) come before those that it only claims. */
export interface Person extends Participant {
  addresses: PersonAddress[];
}

export type NewParticipant = Omit<Person, 'addedAt'>;

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
