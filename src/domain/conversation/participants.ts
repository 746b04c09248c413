import type { AddressType } from '../addresses.ts';
import type { NewConversationEvent } from './events.ts';
import { withoutLinks, type Link } from './links.ts';
import { err, ok, type Result } from '../result.ts';
import type { Refusal } from '../errors.ts';
import type { Micros } from '../time.ts';
import type { ConversationState } from './state.ts';

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

/** An address by which a contact wrote that nobody in the conversation had: another id of who is here already. */
export function withAddress(state: ConversationState, address: ContactAddress): ConversationState {
  const [first, ...others] = state.participants;
  if (!first || holderOf(state, address)) return state;
  return { ...state, participants: [{ ...first, addresses: [...first.addresses, address] }, ...others] };
}

/** Somebody joins. Who has one of these addresses here is joined by the others: the same person. The same object when all are here. */
export function decideAdd(
  state: ConversationState,
  wanted: NewParticipant,
  at: Micros,
): Result<NewConversationEvent[], Refusal> {
  if (state.lifecycle === 'closed') return err({ code: 'CONVERSATION_CLOSED' });
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

/** Somebody leaves, with every address; not the last one. */
export function decideRemove(
  state: ConversationState,
  participantId: string,
  at: Micros,
): Result<NewConversationEvent[], Refusal> {
  const participant = state.participants.find(({ id }) => id === participantId);
  if (!participant) return err({ code: 'PARTICIPANT_NOT_FOUND' });
  if (state.participants.length === 1) {
    return err({ code: 'INVALID_FIELD', field: 'participant_id', problem: 'is the last one of this conversation' });
  }
  const isTheirs = ({ peer }: Link) => participant.addresses.some((address) => isSame(address, peer));
  const conversation: ConversationState = {
    // What answers by the way used last must not write to who has left.
    ...withoutLinks(state, isTheirs),
    participants: state.participants.filter((other) => other !== participant),
    released: [...new Set([...state.released, ...participant.addresses.map(addressText)])],
    updatedAt: at,
  };
  return ok([{ type: 'conversation.participant_removed', conversation, change: null, participant }]);
}
