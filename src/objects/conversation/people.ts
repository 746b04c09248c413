import type { Room } from './aggregate.ts';
import type { Opening } from '../../domain/conversation/commands.ts';
import { openConversation } from '../../domain/conversation/decide-inbound.ts';
import { isOver } from '../../domain/conversation/lifecycle.ts';
import {
  decideMeet,
  decideMerge,
  decidePart,
  decideUnmerge,
  type Meeting,
  type Parting,
} from '../../domain/conversation/identity/merge.ts';
import type { NewConversationEvent } from '../../domain/conversation/events.ts';
import {
  decideAdd,
  decideDrop,
  decideRemove,
  type ContactAddress,
  type NewParticipant,
} from '../../domain/conversation/identity/participants.ts';
import type { ConversationState, Settings } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { Micros } from '../../domain/time.ts';

/** A conversation that is made on request, with its people; or the one that is there, joined by those who are missing. */
export interface OpenCommand {
  customerId: string;
  /** Null: it must be there. */
  opening: Opening | null;
  people: NewParticipant[];
  settings: Settings;
}

export function openWith(
  room: Room,
  { customerId, opening, people, settings }: OpenCommand,
): Result<ConversationState, Refusal> {
  const at = room.now();
  if (room.isErased()) return err({ code: 'CONVERSATION_CLOSED' });
  const present = room.store.record()?.conversation ?? null;
  if (present ? present.customerId !== customerId : opening === null) return err({ code: 'CONVERSATION_NOT_FOUND' });
  if (present && isOver(present)) return err({ code: 'CONVERSATION_CLOSED' });
  const events = present ? joined(present, people, at) : ok(opening ? [created(opening, at)] : []);
  if (!events.ok) return events;
  room.commit(events.value, at, { settings });
  return room.find(customerId);
}

const created = (opening: Opening, at: Micros): NewConversationEvent => ({
  type: 'conversation.created',
  conversation: openConversation(opening, at),
  change: null,
});

function joined(
  state: ConversationState,
  people: NewParticipant[],
  at: Micros,
): Result<NewConversationEvent[], Refusal> {
  const events: NewConversationEvent[] = [];
  let latest = state;
  for (const person of people) {
    const decided = decideAdd(latest, person, at);
    if (!decided.ok) return decided;
    events.push(...decided.value);
    for (const event of decided.value) latest = 'conversation' in event ? event.conversation : latest;
  }
  return ok(events);
}

export const addParticipant = (room: Room, customerId: string, person: NewParticipant) =>
  decided(room, customerId, (state, at) => joined(state, [person], at));

/** What may be done to a conversation's people from outside it, each safe to repeat. */
export type Rearrangement =
  /** What is told of somebody who is here already, and the ways by which it may be answered. Refused where the conversation is over. */
  | ({ kind: 'meet' } & Meeting)
  /** Some of its addresses go to another conversation. */
  | { kind: 'drop'; addresses: ContactAddress[] }
  /** Who came with a conversation that was merged into it leaves with that again. */
  | ({ kind: 'part' } & Parting)
  /** It goes on in another one, or no longer does. */
  | { kind: 'merge' | 'unmerge'; into: string };

export const rearrange = (room: Room, customerId: string, wanted: Rearrangement) =>
  decided(room, customerId, (state, at) => {
    if (wanted.kind === 'meet') return decideMeet(state, wanted, at);
    if (wanted.kind === 'drop') return decideDrop(state, wanted.addresses, at);
    if (wanted.kind === 'part') return decidePart(state, wanted, at);
    if (wanted.kind === 'merge') return decideMerge(state, wanted.into, at);
    return ok(decideUnmerge(state, wanted.into, at));
  });

type Decide = (state: ConversationState, at: Micros) => Result<NewConversationEvent[], Refusal>;

/** @returns the conversation afterwards. */
function decided(room: Room, customerId: string, decide: Decide): Result<ConversationState, Refusal> {
  const found = room.find(customerId);
  if (!found.ok) return found;
  const at = room.now();
  const events = decide(found.value, at);
  if (!events.ok) return events;
  room.commit(events.value, at);
  return room.find(customerId);
}

/** @returns the conversation as it was before: who calls must give the addresses back. */
export function removeParticipant(
  room: Room,
  customerId: string,
  participantId: string,
): Result<ConversationState, Refusal> {
  const found = room.find(customerId);
  if (!found.ok) return found;
  const at = room.now();
  const events = decideRemove(found.value, participantId, at);
  if (!events.ok) return events;
  room.commit(events.value, at);
  return found;
}
