import { EVENTS, type EventTypeAbout } from '../events.ts';
import { readOwnJson, type LogRow } from '../log-row.ts';
import type { Micros } from '../time.ts';
import type { Change } from './change.ts';
import { isMessageEvent, type ConversationEvent } from './events.ts';
import {
  upgradeStoredPerson,
  upgradeStoredState,
  type StoredPerson,
  type StoredState,
} from './identity/stored-state.ts';
import type { ConversationState, Delivery, Message } from './state.ts';

/** A message as it was stored, also by a version of Parley that knew no fences and no templates. */
export const readMessage = (text: string): Message => ({
  fence: null,
  template: null,
  routing: [],
  ...readOwnJson<Stored<Message, 'fence' | 'template' | 'routing'>>(text),
});

/** The same for a conversation. */
export const readConversation = (text: string): ConversationState => upgradeStoredState(readOwnJson<StoredState>(text));

type Stored<T, Newer extends keyof T> = Omit<T, Newer> & Partial<Pick<T, Newer>>;

/** The conversation as the event left it, and what the event turned over. */
type ConversationFacts = StoredState & {
  change?: Change | null;
  participant?: StoredPerson;
  merger?: Merger;
};

type Merger = NonNullable<Extract<ConversationEvent, { conversation: ConversationState }>['merger']>;

interface MessageFacts {
  deliveries: Delivery[];
  updatedAt: Micros;
  deletedAt: Micros | null;
  becameDone: boolean;
}

export function toLogRow(event: ConversationEvent): LogRow {
  const { sequence, type, at } = event;
  if (!isMessageEvent(event)) {
    const { conversation, change, participant, merger } = event;
    const facts: ConversationFacts = {
      ...conversation,
      change,
      ...(participant ? { participant } : {}),
      ...(merger ? { merger } : {}),
    };
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
    const { change = null, participant, merger, ...conversation } = readOwnJson<ConversationFacts>(row.facts);
    return {
      type,
      conversation: { ...upgradeStoredState(conversation), sequence },
      change,
      ...(participant ? { participant: upgradeStoredPerson(participant) } : {}),
      ...(merger ? { merger } : {}),
      sequence,
      at,
    };
  }
  if (!isMessageType(type) || !message) throw new Error(`event ${sequence} (${type}) names no message of this log`);
  const { becameDone, ...fixed } = readOwnJson<MessageFacts>(row.facts);
  return { type, message: { ...message, ...fixed }, becameDone, sequence, at };
}

const isConversationType = (type: LogRow['type']): type is EventTypeAbout<'conversation'> =>
  EVENTS[type] === 'conversation';
const isMessageType = (type: LogRow['type']): type is EventTypeAbout<'message'> => EVENTS[type] === 'message';
