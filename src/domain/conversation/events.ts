import { EVENTS, type EventTypeAbout, type Placed } from '../events.ts';
import type { Change } from './change.ts';
import type { Person } from './identity/participants.ts';
import type { ConversationState, FallbackOptions, Message } from './state.ts';
import type { Micros } from '../time.ts';

/** An event before it has its place in the log. It carries its subject as it is after the event. */
export type NewConversationEvent =
  | {
      type: EventTypeAbout<'conversation'>;
      conversation: ConversationState;
      change: Change | null;
      /** Who joined or left, where that is what happened. */
      participant?: Person;
      /** Of the four events of a merger (identity/merge.ts): the other conversation, and what its end takes. */
      merger?: Merger;
    }
  | {
      type: EventTypeAbout<'message'>;
      message: Message;
      /** True on the one event with which an outgoing message got through (`progressing` or `failed` → `done`). */
      becameDone: boolean;
      /** Of its new deliveries: the ways that are tried next when one fails for good. They are kept beside the log, and told nobody. */
      fallbackOptions?: FallbackOptions;
    };

/** The other conversation of a merger: for the one that ends, where it goes on; for the one that goes on, what came to it. */
export type Merger = { into: string } | AbsorbedConversation;

/** A conversation that goes on in another one, as the log of that other one has it. */
export interface AbsorbedConversation {
  from: string;
  /** `from` and what had gone on in it: their messages are part of the history of the one that goes on. */
  histories: string[];
  people: PeopleBefore;
}

/** The people of both conversations before the merger; at its end, nobody. */
export interface PeopleBefore {
  /** In the one that goes on: those whom the merger makes one person with those who came. */
  before: Person[];
  came: Person[];
}

export type ConversationEvent = Placed<NewConversationEvent>;

export const isMessageEvent = (
  event: ConversationEvent,
): event is Extract<ConversationEvent, { type: EventTypeAbout<'message'> }> => EVENTS[event.type] === 'message';

/**
 * Gives decided events their place in the log: dense sequences after `head`, one timestamp.
 * A created message's own sequence is that of its event.
 */
export function sequenceEvents(events: NewConversationEvent[], head: number, at: Micros): ConversationEvent[] {
  return events.map((event, index) => {
    const sequence = head + index + 1;
    if (event.type === 'message.created') {
      return { ...event, message: { ...event.message, sequence }, sequence, at };
    }
    return { ...event, sequence, at };
  });
}

/** The conversation after one event. Replaying a log from nothing gives the state that the object holds. */
export function applyEvent(state: ConversationState | null, event: ConversationEvent): ConversationState {
  if (!isMessageEvent(event)) return { ...event.conversation, sequence: event.sequence };
  if (!state) throw new Error(`event ${event.sequence} has no conversation before it`);
  const { sequence, message } = event;
  if (event.type !== 'message.created') return { ...state, sequence };
  const heardAt = message.sender.type === 'contact' ? message.createdAt : state.heardAt;
  return { ...state, heardAt, lastMessageAt: message.createdAt, sequence };
}
