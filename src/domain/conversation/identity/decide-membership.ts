import { withoutBindings } from './bindings.ts';
import {
  peopleOf,
  releaseAddresses,
  withPeople,
  withReleased,
  heldAddresses,
  isAmong,
  joiningOf,
} from './participants.ts';
import type { Refusal } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import type { Micros } from '../../time.ts';
import type { NewConversationEvent } from '../events.ts';
import type { ConversationState, ContactAddress, NewParticipant, Person } from '../state.ts';

/** Somebody joins. Who has one of these addresses here is joined by the others: the same person. No event when all are here. */
export function decideAdd(
  state: ConversationState,
  wanted: NewParticipant,
  at: Micros,
): Result<NewConversationEvent[], Refusal> {
  if (state.lifecycle === 'closed' || state.mergedInto !== null) return err({ code: 'CONVERSATION_CLOSED' });
  const people = peopleOf(state);
  const { known, person: participant } = joiningOf(people, { ...wanted, addedAt: at });
  if (known && heldAddresses(participant).length === heldAddresses(known).length) return ok([]);
  const others = people.filter(({ id }) => id !== participant.id);
  const members = [...others, participant].toSorted((a, b) => a.addedAt - b.addedAt);
  const conversation = { ...withPeople(state, members), updatedAt: at };
  return ok([{ type: 'conversation.participant_added', conversation, change: null, participant }]);
}

/** Somebody leaves, with every address; not the last one. */
export function decideRemove(
  state: ConversationState,
  participantId: string,
  at: Micros,
): Result<NewConversationEvent[], Refusal> {
  const people = peopleOf(state);
  const participant = people.find(({ id }) => id === participantId);
  if (!participant) return err({ code: 'PARTICIPANT_NOT_FOUND' });
  if (people.length === 1) {
    return err({
      code: 'INVALID_FIELD',
      field: 'participant_id',
      problem: 'is the last participant of this conversation and cannot be removed',
    });
  }
  const stay = people.filter((other) => other !== participant);
  // A claim takes nothing away from whoever holds the address.
  const gone = participant.addresses.filter((one) => !isAmong(one, stay.flatMap(heldAddresses)));
  const conversation: ConversationState = {
    // What answers through the active binding must not write to who has left.
    ...withoutBindings(withReleased(withPeople(state, stay), gone), ({ peer }) => isAmong(peer, gone)),
    updatedAt: at,
  };
  return ok([{ type: 'conversation.participant_removed', conversation, change: null, participant }]);
}

export function decideReleaseAddresses(
  state: ConversationState,
  gone: ContactAddress[],
  at: Micros,
): Result<NewConversationEvent[], Refusal> {
  const released = releaseAddresses(state, gone);
  if (!released.ok) return released;
  const { left } = released.value;
  if (released.value.conversation === state) return ok([]);
  const conversation = { ...released.value.conversation, updatedAt: at };
  if (left.length === 0) return ok([{ type: 'conversation.updated', conversation, change: null }]);
  return ok(left.map((participant) => participantLeft(conversation, participant)));
}

export const participantLeft = (conversation: ConversationState, participant: Person): NewConversationEvent => ({
  type: 'conversation.participant_removed',
  conversation,
  change: null,
  participant,
});
