import { isMessageEvent, type ConversationEvent, type NewConversationEvent } from './events.ts';
import type { Micros } from '../time.ts';
import type { ConversationState } from './state.ts';

/**
 * Gives decided events their place in the log: dense sequences after `head`, one timestamp.
 * A created message's own sequence is that of its event.
 */
export function place(events: NewConversationEvent[], head: number, at: Micros): ConversationEvent[] {
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
