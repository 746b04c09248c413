import { presentForVisitor } from './message.ts';
import { isMessageEvent, type ConversationEvent } from '../../domain/conversation/events.ts';

import type { ConversationState, ContactAddress } from '../../domain/conversation/state.ts';
import { isVisibleTo, visibleAddresses } from '../../domain/conversation/identity/participants.ts';

/** One event of the log as a visitor's socket gets it. Events that are not for visitors become a `skip`, which only advances the cursor. */
export function visitorFrame(state: ConversationState, visitor: ContactAddress, event: ConversationEvent) {
  const { sequence } = event;
  if (!isMessageEvent(event)) return { type: event.type === 'conversation.closed' ? 'closed' : 'skip', sequence };
  const { message } = event;
  if (!isVisibleTo(visibleAddresses(state, visitor), message)) return { type: 'skip', sequence };
  if (message.deletedAt !== null) return { type: 'message_deleted', sequence, data: { id: message.id } };
  return { type: 'message', sequence, data: presentForVisitor(message, visitor.target) };
}
