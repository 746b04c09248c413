import type { AddressType } from '../../addresses.ts';
import type { NewConversationEvent } from '../events.ts';
import { withoutBindings, type ChannelBinding } from './bindings.ts';
import { err, ok, type Result } from '../../result.ts';
import type { Refusal } from '../../errors.ts';
import type { Micros } from '../../time.ts';
import type { ConversationState } from '../state.ts';

/** Where somebody is reached, whichever account of ours does it. */
export interface ContactAddress {
  type: AddressType;
  target: string;
}

/** A person in a conversation: one or more addresses, and where it likes to be written to. */
export interface Participant {
  id: string;
  contactId: string;
  name: string;
  /** A conversation type (`message`, `line`, …), or empty. */
  preferredChannel: string;
  addresses: ContactAddress[];
  /** What somebody has only typed (a visitor of the web chat): it may receive answers, and proves nothing (spec section 11). */
  unverified?: ContactAddress[];
  /** By visitor (addressText of its chat address): the addresses (addressText) that this visitor has proved to be its own. */
  proofs?: Record<string, string[]>;
  /** Those of its addresses (addressText) from which somebody wrote into this conversation, and of which nobody has said that they are this person's. */
  assumed?: string[];
  addedAt: Micros;
}

export type NewParticipant = Omit<Participant, 'addedAt'>;

/** One text for one address, in which nothing is ambiguous. */
export const addressText = ({ type, target }: ContactAddress): string => `${type}:${target}`;

const isSame = (one: ContactAddress, other: ContactAddress): boolean => addressText(one) === addressText(other);

export const holderOf = (state: ConversationState, address: ContactAddress): Participant | null =>
  state.participants.find(({ addresses }) => addresses.some((known) => isSame(known, address))) ?? null;

/** An address that was taken out is not this conversation's any more, whoever still sends it here. */
export const isReleased = (state: ConversationState, address: ContactAddress): boolean =>
  state.released.includes(addressText(address));

/**
 * An address by which a contact wrote that nobody in the conversation had: another id of who is here already, of whoever typed it or
 * else of the first.
 */
export function withAddress(state: ConversationState, { type, target }: ContactAddress): ConversationState {
  const address = { type, target };
  const typedBy = state.participants.find(({ unverified }) => unverified?.some((one) => isSame(one, address)));
  const owner = typedBy ?? state.participants[0];
  if (!owner || holderOf(state, address)) return state;
  const addresses = [...owner.addresses, address];
  const assumed = [...(owner.assumed ?? []), addressText(address)];
  const unverified = owner.unverified?.filter((one) => !isSame(one, address));
  return withPerson(state, { ...owner, addresses, assumed, ...(unverified ? { unverified } : {}) });
}

const withPerson = (state: ConversationState, person: Participant): ConversationState => ({
  ...state,
  participants: state.participants.map((each) => (each.id === person.id ? person : each)),
});

/**
 * What a visitor has typed or proved since: its participant knows it from then on. Who has proved to be somebody that is in the
 * conversation already becomes one with it. The same object when nothing of it is new.
 */
export function toldOf(state: ConversationState, told: NewParticipant): ConversationState {
  const known = state.participants.filter(({ addresses }) => addresses.some((one) => isIn(one, told.addresses)));
  const primary = known.find(({ addresses }) => addresses.some((one) => one.type !== 'chat')) ?? known[0];
  if (!primary) return state;
  const merged = known.filter((each) => each !== primary).reduce(oneOf, oneOf(primary, told));
  if (known.length === 1 && JSON.stringify(merged) === JSON.stringify(oneOf(primary, primary))) return state;
  const others = state.participants.filter((each) => each === primary || !known.includes(each));
  return withPerson({ ...state, participants: others }, merged);
}

const isIn = (address: ContactAddress, list: readonly ContactAddress[]): boolean =>
  list.some((other) => isSame(address, other));

function oneOf(person: Participant, other: NewParticipant): Participant {
  const addresses = united(person.addresses, other.addresses);
  // Who types another address corrects the one before.
  const typed = other.unverified?.length ? other.unverified : (person.unverified ?? []);
  return {
    ...person,
    name: person.name || other.name,
    addresses,
    unverified: typed.filter((one) => !isIn(one, addresses)),
    proofs: joined(person.proofs ?? {}, other.proofs ?? {}),
    assumed: addresses.map(addressText).filter((text) => !isVouched(person, text) && !isVouched(other, text)),
  };
}

const isVouched = ({ addresses, assumed = [] }: NewParticipant, text: string): boolean =>
  addresses.some((one) => addressText(one) === text) && !assumed.includes(text);

function joined(some: Record<string, string[]>, more: Record<string, string[]>): Record<string, string[]> {
  const of = (visitor: string) => [...new Set([...(some[visitor] ?? []), ...(more[visitor] ?? [])])];
  return Object.fromEntries(Object.keys({ ...some, ...more }).map((visitor) => [visitor, of(visitor)]));
}

const united = (some: ContactAddress[], more: ContactAddress[]): ContactAddress[] =>
  more.reduce((all, one) => (isIn(one, all) ? all : [...all, one]), some);

/**
 * What a visitor may see the messages of (addressText): its own chat, and after a proof what it has proved and what else the known
 * contact has. From an address that is only assumed to be its own, somebody else may write.
 */
export function addressesOf(state: ConversationState, visitor: ContactAddress): string[] {
  const own = addressText(visitor);
  const person = holderOf(state, visitor);
  const proved = person?.proofs?.[own] ?? [];
  if (!person || proved.length === 0) return [own];
  const known = person.addresses.map(addressText).filter((text) => isVouched(person, text));
  return [...new Set([own, ...proved, ...known])];
}

/** Somebody joins. Who has one of these addresses here is joined by the others: the same person. The same object when all are here. */
export function decideAdd(
  state: ConversationState,
  wanted: NewParticipant,
  at: Micros,
): Result<NewConversationEvent[], Refusal> {
  if (state.lifecycle === 'closed' || state.mergedInto !== null) return err({ code: 'CONVERSATION_CLOSED' });
  const known = wanted.addresses.map((address) => holderOf(state, address)).find((holder) => holder !== null);
  const fresh = wanted.addresses.filter((address) => holderOf(state, address) === null);
  if (known && fresh.length === 0) return ok([]);
  const participant: Participant = known
    ? { ...known, addresses: [...known.addresses, ...fresh] }
    : { ...wanted, addedAt: at };
  const others = state.participants.filter(({ id }) => id !== participant.id);
  const texts = wanted.addresses.map(addressText);
  const conversation: ConversationState = {
    ...state,
    participants: [...others, participant].toSorted((a, b) => a.addedAt - b.addedAt),
    released: state.released.filter((text) => !texts.includes(text)),
    updatedAt: at,
  };
  return ok([{ type: 'conversation.participant_added', conversation, change: null, participant }]);
}

/** Nothing of these addresses is left of it, nor what was proved of them or by them. */
export function withoutAddresses(person: Participant, gone: ContactAddress[]): Participant {
  const { unverified, assumed, proofs } = person;
  return {
    ...person,
    addresses: person.addresses.filter((one) => !isIn(one, gone)),
    ...(unverified ? { unverified: unverified.filter((one) => !isIn(one, gone)) } : {}),
    ...(assumed ? { assumed: withoutTexts(assumed, gone) } : {}),
    ...(proofs ? { proofs: withoutProofs(proofs, gone.map(addressText)) } : {}),
  };
}

const withoutTexts = (texts: string[], gone: ContactAddress[]): string[] =>
  texts.filter((text) => !gone.some((one) => addressText(one) === text));

/** By visitor. */
export const withoutProofs = (proofs: Record<string, string[]>, gone: string[]): Record<string, string[]> =>
  Object.fromEntries(
    Object.entries(proofs)
      .filter(([visitor]) => !gone.includes(visitor))
      .map(([visitor, texts]) => [visitor, texts.filter((text) => !gone.includes(text))]),
  );

/** Somebody leaves, with every address; not the last one. */
export function decideRemove(
  state: ConversationState,
  participantId: string,
  at: Micros,
): Result<NewConversationEvent[], Refusal> {
  const participant = state.participants.find(({ id }) => id === participantId);
  if (!participant) return err({ code: 'PARTICIPANT_NOT_FOUND' });
  if (state.participants.length === 1) {
    return err({
      code: 'INVALID_FIELD',
      field: 'participant_id',
      problem: 'is the last participant of this conversation and cannot be removed',
    });
  }
  const theirs = [...participant.addresses, ...(participant.unverified ?? [])];
  const isTheirs = ({ peer }: ChannelBinding) => isIn(peer, theirs);
  const conversation: ConversationState = {
    // What answers by the way used last must not write to who has left.
    ...withoutBindings(state, isTheirs),
    participants: state.participants.filter((other) => other !== participant),
    released: [...new Set([...state.released, ...theirs.map(addressText)])],
    updatedAt: at,
  };
  return ok([{ type: 'conversation.participant_removed', conversation, change: null, participant }]);
}

/**
 * Some addresses go to another conversation. Who has no other one left goes with them; somebody must stay, or else the whole conversation
 * goes on elsewhere (decide-merge.ts).
 */
export function decideReleaseAddresses(
  state: ConversationState,
  gone: ContactAddress[],
  at: Micros,
): Result<NewConversationEvent[], Refusal> {
  const kept = state.participants
    .map((each) => withoutAddresses(each, gone))
    .filter(({ addresses }) => addresses.length > 0);
  if (kept.length === 0)
    return err({
      code: 'INVALID_FIELD',
      field: 'addresses',
      problem: 'are all addresses of the conversation; at least one must stay',
    });
  const held = gone.filter((one) => holderOf(state, one) !== null);
  if (held.length === 0) return ok([]);
  const conversation: ConversationState = {
    ...withoutBindings(state, ({ peer }) => isIn(peer, gone)),
    participants: kept,
    released: [...new Set([...state.released, ...held.map(addressText)])],
    updatedAt: at,
  };
  const left = state.participants.filter(({ id }) => !kept.some((each) => each.id === id));
  if (left.length === 0) return ok([{ type: 'conversation.updated', conversation, change: null }]);
  return ok(
    left.map((participant) => ({ type: 'conversation.participant_removed', conversation, change: null, participant })),
  );
}
