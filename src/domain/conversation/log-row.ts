import { EVENTS, type EventTypeAbout, readOwnJson, type LogRow } from '../events.ts';
import type { Micros } from '../time.ts';
import type { Change } from './change.ts';
import { isMessageEvent, type ConversationEvent, type Merger, type NewConversationEvent } from './events.ts';
import { upgradeStoredParticipant, upgradeStoredState } from './identity/stored-state.ts';
import type { Person } from './identity/participants.ts';
import type { ConversationState, Delivery, Message } from './state.ts';

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
