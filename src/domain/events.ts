import type { ConversationState, Message } from './conversation/state.ts';

/**
 * THE event table: everything that can happen to a conversation, and what each entry is about.
 * The log, D1, webhooks, live streams and the dialects' catalogues all derive from it.
 */
export const EVENTS = {
  'conversation.created': 'conversation',
  'conversation.updated': 'conversation',
  'conversation.closed': 'conversation',
  'conversation.deleted': 'conversation',
  'message.created': 'message',
  'message.updated': 'message',
  'message.deleted': 'message',
} as const;

export type EventType = keyof typeof EVENTS;
export type ConversationEventType = {
  [T in EventType]: (typeof EVENTS)[T] extends 'conversation' ? T : never;
}[EventType];
export type MessageEventType = Exclude<EventType, ConversationEventType>;

/** An event before it has its place in the log. It carries its subject as it is after the event. */
export type NewEvent =
  | { type: ConversationEventType; conversation: ConversationState }
  | {
      type: MessageEventType;
      message: Message;
      /** True on the one event with which an outgoing message got through (`progressing` or `failed` → `done`). */
      becameDone: boolean;
    };

/** An event in its place in the log. */
export type LoggedEvent = NewEvent & { sequence: number; at: number };

export const isEventType = (text: string): text is EventType => text in EVENTS;

export const isMessageEvent = (event: LoggedEvent): event is Extract<LoggedEvent, { type: MessageEventType }> =>
  EVENTS[event.type] === 'message';
