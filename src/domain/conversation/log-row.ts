import { EVENTS, type EventTypeAbout } from '../events.ts';
import { readOwnJson, type LogRow } from '../log-row.ts';
import type { Micros } from '../time.ts';
import type { Change } from './change.ts';
import { isMessageEvent, type ConversationEvent } from './events.ts';
import { upgradeStoredParticipant, upgradeStoredState } from './identity/stored-state.ts';
import type { Participant } from './identity/participants.ts';
import type { ConversationState, Delivery, Message } from './state.ts';

export const readMessage = (text: string): Message => readOwnJson<Message>(text);

/** D1 keeps rows that earlier releases wrote, so a conversation read from there may still have their shape. */
export const readConversation = (text: string): ConversationState => upgradeStoredState(readOwnJson<unknown>(text));

/** The conversation as the event left it; with it, what became of its mode and owner, and who joined or left. */
type ConversationFacts = ConversationState & { change?: Change | null; participant?: Participant };

interface MessageFacts {
  deliveries: Delivery[];
  updatedAt: Micros;
  deletedAt: Micros | null;
  becameDone: boolean;
}

export function toLogRow(event: ConversationEvent): LogRow {
  const { sequence, type, at } = event;
  if (!isMessageEvent(event)) {
    const { conversation, change, participant } = event;
    const facts: ConversationFacts = { ...conversation, change, ...(participant ? { participant } : {}) };
    return { sequence, type, messageId: null, facts: JSON.stringify(facts), at };
  }
  const { deliveries, updatedAt, deletedAt } = event.message;
  const facts: MessageFacts = { deliveries, updatedAt, deletedAt, becameDone: event.becameDone };
  return { sequence, type, messageId: event.message.id, facts: JSON.stringify(facts), at };
}

/** The event again, with the message's content as it is now. `message` is null for events of the conversation. */
export function fromLogRow(row: LogRow, message: Message | null): ConversationEvent {
  const { sequence, at, type } = row;
  if (isConversationType(type)) {
    const { change, participant, conversation } = readConversationFacts(row.facts);
    return {
      type,
      conversation: { ...conversation, sequence },
      change,
      ...(participant ? { participant } : {}),
      sequence,
      at,
    };
  }
  if (!isMessageType(type) || !message) throw new Error(`event ${sequence} (${type}) names no message of this log`);
  const { becameDone, ...fixed } = readOwnJson<MessageFacts>(row.facts);
  return { type, message: { ...message, ...fixed }, becameDone, sequence, at };
}

/** The same row in the present shape, for the migration of an object that an earlier release wrote. */
export function upgradeLogRow(row: LogRow): LogRow {
  if (!isConversationType(row.type)) return row;
  const { conversation, change, participant } = readConversationFacts(row.facts);
  const facts: ConversationFacts = { ...conversation, change, ...(participant ? { participant } : {}) };
  return { ...row, facts: JSON.stringify(facts) };
}

function readConversationFacts(text: string) {
  const { change = null, participant, ...state } = readOwnJson<{ change?: Change | null; participant?: unknown }>(text);
  return {
    conversation: upgradeStoredState(state),
    change,
    participant: participant === undefined ? null : upgradeStoredParticipant(participant),
  };
}

const isConversationType = (type: LogRow['type']): type is EventTypeAbout<'conversation'> =>
  EVENTS[type] === 'conversation';
const isMessageType = (type: LogRow['type']): type is EventTypeAbout<'message'> => EVENTS[type] === 'message';
