import { restoreParticipants, type PeopleBefore } from './restore-participants.ts';
import type { NewConversationEvent } from '../events.ts';
import { isOver } from '../lifecycle.ts';
import { withBinding, type ChannelBinding } from './bindings.ts';
import {
  addressText,
  decideReleaseAddresses,
  toldOf,
  type ContactAddress,
  type NewParticipant,
} from './participants.ts';
import type { ConversationState } from '../state.ts';
import type { Refusal } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import type { Micros } from '../../time.ts';

const updated = (conversation: ConversationState): NewConversationEvent[] => [
  { type: 'conversation.updated', conversation, change: null },
];

/** It goes on in another conversation. What it holds stays as it is, so that the end of the merger brings all of it back. */
export function decideMerge(
  state: ConversationState,
  into: string,
  at: Micros,
): Result<NewConversationEvent[], Refusal> {
  if (state.mergedInto === into) return ok([]);
  // What goes on here is over itself: in a circle nobody would be reached.
  if (isOver(state) || state.mergedFrom.includes(into)) return err({ code: 'CONVERSATION_CLOSED' });
  return ok(updated({ ...state, mergedInto: into, updatedAt: at }));
}

/** It goes on itself again. */
export const decideUnmerge = (state: ConversationState, into: string, at: Micros): NewConversationEvent[] =>
  state.mergedInto === into ? updated({ ...state, mergedInto: null, updatedAt: at }) : [];

/** What is told of somebody who is here already, and the ways by which it may be answered. */
export function decideAttachPerson(
  state: ConversationState,
  { person, bindings, from }: PersonAttachment,
  at: Micros,
): Result<NewConversationEvent[], Refusal> {
  if (isOver(state)) return err({ code: 'CONVERSATION_CLOSED' });
  const texts = person.addresses.map(addressText);
  const released = state.released.filter((text) => !texts.includes(text));
  const mergedFrom = [...new Set([...state.mergedFrom, ...from])];
  const told = bindings.reduce(withBinding, toldOf(state, person));
  const isSame = released.length === state.released.length && mergedFrom.length === state.mergedFrom.length;
  return ok(told === state && isSame ? [] : updated({ ...told, released, mergedFrom, updatedAt: at }));
}

export interface PersonAttachment {
  person: NewParticipant;
  bindings: ChannelBinding[];
  /** The conversations that go on here with it. */
  from: string[];
}

/** Those who came with a conversation that was merged into this one leave with it, and what had gone on in that one goes on there. */
export function decideSplitOff(
  state: ConversationState,
  { from, addresses, people }: SplitOff,
  at: Micros,
): Result<NewConversationEvent[], Refusal> {
  if (!from.some((id) => state.mergedFrom.includes(id))) return ok([]);
  const mergedFrom = state.mergedFrom.filter((id) => !from.includes(id));
  const parted = { ...state, mergedFrom, updatedAt: at };
  const dropped = decideReleaseAddresses(parted, addresses, at);
  const events = dropped.ok && dropped.value.length > 0 ? dropped.value : updated(parted);
  return ok(
    events.map((event) => ('conversation' in event ? { ...event, ...restored(event, people, addresses) } : event)),
  );
}

const restored = (
  { conversation }: { conversation: ConversationState },
  people: PeopleBefore,
  gone: ContactAddress[],
): { conversation: ConversationState } => ({
  conversation: { ...conversation, participants: restoreParticipants(conversation.participants, people, gone) },
});

export interface SplitOff {
  /** It, and what had gone on in it. */
  from: string[];
  addresses: ContactAddress[];
  people: PeopleBefore;
}
