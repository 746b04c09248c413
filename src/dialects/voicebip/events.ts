import { isMessageEvent, type ConversationEvent } from '../../domain/conversation/events.ts';
import type { Message } from '../../domain/conversation/state.ts';

/** The states of a message to the contact that this dialect has a name for: one that waits, or is tried again, is no event. */
export const TOLD_STATUSES = ['sent', 'delivered', 'read', 'failed'] as const;

/** Every name that an endpoint of this dialect may have in `events[]` (spec section 8). */
export const VOICEBIP_EVENT_NAMES = [
  'message.received',
  'message.sent',
  'message.delivered',
  'message.read',
  'message.failed',
  'message.opt_out',
  'window.closing',
] as const;

export type VoicebipEventName = (typeof VOICEBIP_EVENT_NAMES)[number];

/** The event of this dialect that one logged event stands for, if any. Changes of mode go to the stream alone (seed 003). */
function webhookName(event: ConversationEvent): VoicebipEventName | null {
  if (isMessageEvent(event)) return messageName(event.type, event.message);
  if (event.type === 'conversation.window_closing') return 'window.closing';
  return event.change?.optOut === true ? 'message.opt_out' : null;
}

function messageName(
  type: ConversationEvent['type'],
  { direction, deliveries: [delivery] }: Message,
): VoicebipEventName | null {
  if (direction === 'incoming') return type === 'message.created' ? 'message.received' : null;
  const status = TOLD_STATUSES.find((told) => told === delivery?.status);
  return status === undefined || type === 'message.deleted' ? null : `message.${status}`;
}

const hex = (uuid: string): string => uuid.replaceAll('-', '');

/** Of a message and its status, not of the place in the log: a status that a later event still shows is not told again. */
const eventIdOf = (event: ConversationEvent, name: VoicebipEventName): string =>
  isMessageEvent(event)
    ? `evt_${hex(event.message.id)}_${name.slice('message.'.length)}`
    : `evt_${hex(event.conversation.id)}_${event.sequence}`;

export function announceVoicebip(sourceId: string, event: ConversationEvent) {
  const type = webhookName(event);
  if (type === null) return [];
  return [{ sourceId, dialect: 'voicebip', eventId: eventIdOf(event, type), type, sequence: event.sequence }];
}
