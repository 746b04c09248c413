import type { Actor } from '../permissions.ts';
import type { AbsorbedConversation } from '../contacts.ts';
import { EVENTS, type EventTypeAbout, type Placed, readOwnJson, type LogRow } from '../events.ts';

import type { ConversationState, FallbackOptions, Message, Person, Delivery, AiMode } from './state.ts';
import type { Micros } from '../time.ts';
import { upgradeStoredParticipant, upgradeStoredState } from './identity/stored-state.ts';

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
      /** For its new deliveries: the routes that are tried next when one fails for good. They are stored beside the log and never shown to a client. */
      fallbackOptions?: FallbackOptions;
    };

/** The other conversation of a merger: for the one that ends, where it goes on; for the one that goes on, what came to it. */
export type Merger = { into: string } | AbsorbedConversation;

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

export const readMessage = (text: string): Message => readOwnJson<Message>(text);

/** D1 keeps rows that earlier releases wrote, so a conversation read from there may still have their shape. */
export const readConversation = (text: string): ConversationState => upgradeStoredState(readOwnJson<unknown>(text));

/** The conversation as the event left it; with it, what became of its mode and owner, who joined or left, and which other one it met. */
type ConversationFacts = ConversationState & { change?: Change | null; participant?: Person; merger?: Merger };

type ConversationEventFacts = Extract<NewConversationEvent, { conversation: ConversationState }>;

interface MessageFacts {
  deliveries: Delivery[];
  updatedAt: Micros;
  deletedAt: Micros | null;
  becameDone: boolean;
}

export function toLogRow(event: ConversationEvent): LogRow {
  const { sequence, type, at } = event;
  if (!isMessageEvent(event)) {
    return { sequence, type, messageId: null, facts: JSON.stringify(conversationFacts(event)), at };
  }
  const { deliveries, updatedAt, deletedAt } = event.message;
  const facts: MessageFacts = { deliveries, updatedAt, deletedAt, becameDone: event.becameDone };
  return { sequence, type, messageId: event.message.id, facts: JSON.stringify(facts), at };
}

/** The event again, with the message's content as it is now. `message` is null for events of the conversation. */
export function fromLogRow(row: LogRow, message: Message | null): ConversationEvent {
  const { sequence, at, type } = row;
  if (isConversationType(type)) {
    const { conversation, ...facts } = readConversationFacts(row.facts);
    return { type, conversation: { ...conversation, sequence }, ...facts, sequence, at };
  }
  if (!isMessageType(type) || !message) throw new Error(`event ${sequence} (${type}) names no message of this log`);
  const { becameDone, ...fixed } = readOwnJson<MessageFacts>(row.facts);
  return { type, message: { ...message, ...fixed }, becameDone, sequence, at };
}

/** The same row in the present shape, for the migration of an object that an earlier release wrote. */
export function upgradeLogRow(row: LogRow): LogRow {
  if (!isConversationType(row.type)) return row;
  return { ...row, facts: JSON.stringify(conversationFacts(readConversationFacts(row.facts))) };
}

type Facts = Pick<ConversationEventFacts, 'conversation' | 'change' | 'participant' | 'merger'>;

const conversationFacts = ({ conversation, change, participant, merger }: Facts): ConversationFacts => ({
  ...conversation,
  change,
  ...(participant ? { participant } : {}),
  ...(merger ? { merger } : {}),
});

/** What an earlier release may have written is in the present shape afterwards; it knew no `merger`. */
function readConversationFacts(text: string): Facts {
  const { change = null, participant, merger, ...state } = readOwnJson<StoredFacts>(text);
  return {
    conversation: upgradeStoredState(state),
    change,
    ...(participant === undefined ? {} : { participant: upgradeStoredParticipant(participant) }),
    ...(merger ? { merger } : {}),
  };
}

interface StoredFacts {
  change?: Change | null;
  participant?: unknown;
  merger?: Merger;
}

const isConversationType = (type: LogRow['type']): type is EventTypeAbout<'conversation'> =>
  EVENTS[type] === 'conversation';
const isMessageType = (type: LogRow['type']): type is EventTypeAbout<'message'> => EVENTS[type] === 'message';

/**
 * Who turned what over in a conversation, and why: a system entry in its timeline. The mode history and the assignment history are made
 * of these; they stand in the log beside the event that they explain, so they are committed with it or not at all.
 */
export interface Change {
  actor: Actor;
  reason: ChangeReason;
  mode: { from: AiMode; to: AiMode } | null;
  /** Agents; null for nobody. */
  owner: { from: string | null; to: string | null } | null;
  /** Whether the contact has just opted out (true) or in again (false); null when neither. */
  optOut: boolean | null;
}

export type ChangeReason =
  /** Somebody asked for it: an assignment, a mode, a closing. */
  | 'request'
  /** A person answered the contact, here or on the business's own device. */
  | 'reply'
  /** An assistant handed the conversation to people, or failed too often. */
  | 'handoff'
  | 'assistant_failed'
  /** The account names a flow that does not exist any more. */
  | 'flow_gone'
  /** Silence. */
  | 'timeout'
  /** The contact's own word (STOP, START), the provider's about it, or what another conversation with the contact has heard. */
  | 'contact'
  | 'provider'
  | 'elsewhere';
