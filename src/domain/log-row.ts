import type { ConversationState, Delivery, Message } from './conversation/state.ts';
import {
  isMessageEvent,
  EVENTS,
  type ConversationEventType,
  type EventType,
  type LoggedEvent,
  type MessageEventType,
} from './events.ts';
import type { Micros } from './time.ts';

/**
 * An event as the log keeps it. A message's content stands in one place only, its own row: what the log adds are the facts
 * that this event fixed. So a deleted text is gone from every replay at once, and the log stays small.
 */
export interface LogRow {
  sequence: number;
  type: EventType;
  messageId: string | null;
  facts: string;
  at: Micros;
}

interface MessageFacts {
  deliveries: Delivery[];
  updatedAt: Micros;
  deletedAt: Micros | null;
  becameDone: boolean;
}

/** JSON that we wrote ourselves, into our own row. The one place that believes it; everything from outside goes through zod. */
export const readOwnJson = <T>(text: string): T => JSON.parse(text) as T;

export function toLogRow(event: LoggedEvent): LogRow {
  const { sequence, type, at } = event;
  if (!isMessageEvent(event)) return { sequence, type, messageId: null, facts: JSON.stringify(event.conversation), at };
  const { deliveries, updatedAt, deletedAt } = event.message;
  const facts: MessageFacts = { deliveries, updatedAt, deletedAt, becameDone: event.becameDone };
  return { sequence, type, messageId: event.message.id, facts: JSON.stringify(facts), at };
}

/** The event again, with the message's content as it is now. `message` is null for events of the conversation. */
export function fromLogRow(row: LogRow, message: Message | null): LoggedEvent {
  const { sequence, at } = row;
  if (!isMessageType(row.type)) {
    const conversation = readOwnJson<ConversationState>(row.facts);
    return { type: row.type, conversation: { ...conversation, sequence }, sequence, at };
  }
  if (!message) throw new Error(`event ${sequence} names a message that is not there`);
  const { becameDone, ...fixed } = readOwnJson<MessageFacts>(row.facts);
  return { type: row.type, message: { ...message, ...fixed }, becameDone, sequence, at };
}

const isMessageType = (type: EventType): type is Exclude<MessageEventType, ConversationEventType> =>
  EVENTS[type] === 'message';
