import { presentChannel } from './conversation.ts';
import { ANNOUNCED_STATUSES } from './events.ts';
import { writeId } from './ids.ts';
import { second } from './times.ts';

import { isMessageEvent, type ConversationEvent, type Change } from '../../domain/conversation/events.ts';
import type { ConversationState, Message } from '../../domain/conversation/state.ts';

/** One event of the log in this dialect. Events that seed 003 does not have become a `skip`, which only advances the cursor. */
export function presentStreamFrame(event: ConversationEvent) {
  const { sequence } = event;
  const data = presentStreamEvent(event);
  return data === null ? { type: 'skip', sequence } : { type: 'event', sequence, data };
}

/** Seed 003's event for a logged one; null if this dialect has none. */
function presentStreamEvent(event: ConversationEvent) {
  if (isMessageEvent(event)) {
    const status = statusOf(event.message, event.type);
    return status === null ? null : messageEvent(event.message, status);
  }
  const mode =
    event.type === 'conversation.updated' || event.type === 'conversation.closed' ? event.change?.mode : null;
  return event.change && mode ? modeChanged(event.conversation, event.change.actor, mode) : null;
}

const modeChanged = (
  { id, updatedAt }: ConversationState,
  actor: Change['actor'],
  mode: NonNullable<Change['mode']>,
) => ({
  event_type: 'conversation.mode_changed',
  conversation_id: writeId('conv', id),
  timestamp: second(updatedAt),
  payload: { from_mode: mode.from, to_mode: mode.to, actor_user_id: actor.id },
});

function statusOf({ direction, deliveries: [delivery] }: Message, type: ConversationEvent['type']): string | null {
  if (type === 'message.deleted') return null;
  if (direction === 'incoming') return type === 'message.created' ? 'received' : null;
  return ANNOUNCED_STATUSES.find((announced) => announced === delivery?.status) ?? null;
}

const messageEvent = (message: Message, status: string) => ({
  event_type: `message.${status}`,
  conversation_id: writeId('conv', message.conversationId),
  timestamp: second(message.updatedAt),
  payload: {
    message_id: writeId('msg', message.id),
    direction: message.direction === 'incoming' ? 'inbound' : 'outbound',
    channel: presentChannel(message.channel),
    text: message.text,
    status,
  },
});
