import { isMessageEvent, type ConversationEvent } from '../../domain/conversation/events.ts';
import type { Message } from '../../domain/conversation/state.ts';

/** The delivery states that this dialect has an event for. Waiting and retrying are not events. */
export const ANNOUNCED_STATUSES = ['sent', 'delivered', 'read', 'failed'] as const;

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

/** This dialect's events for one logged event. Mode changes go only to the stream (seed 003). */
function webhookNames(event: ConversationEvent): VoicebipEventName[] {
  if (isMessageEvent(event)) return messageNames(event.type, event.message);
  if (event.type === 'conversation.window_closing') return ['window.closing'];
  // An opt-out heard in one conversation is passed on to the contact's other conversations. For a receiver it is one opt-out.
  const isHeardHere = event.change?.optOut === true && event.change.reason !== 'elsewhere';
  return isHeardHere ? ['message.opt_out'] : [];
}

function messageNames(
  type: ConversationEvent['type'],
  { direction, deliveries: [delivery] }: Message,
): VoicebipEventName[] {
  if (direction === 'incoming') return type === 'message.created' ? ['message.received'] : [];
  const status = ANNOUNCED_STATUSES.find((announced) => announced === delivery?.status);
  if (status === undefined || type === 'message.deleted') return [];
  // A receipt may overtake the provider's response, and every delivered message was sent.
  const isBeyondSent = status === 'delivered' || status === 'read';
  return isBeyondSent ? ['message.sent', `message.${status}`] : [`message.${status}`];
}

const hex = (uuid: string): string => uuid.replaceAll('-', '');

/** Derived from the message and its status, not from the position in the log, so that a repeated status is not announced again. */
const eventIdOf = (event: ConversationEvent, name: VoicebipEventName): string =>
  isMessageEvent(event)
    ? `evt_${hex(event.message.id)}_${name.slice('message.'.length)}`
    : `evt_${hex(event.conversation.id)}_${event.sequence}`;

export const announceVoicebip = (sourceId: string, event: ConversationEvent) =>
  webhookNames(event).map((type) => ({
    sourceId,
    dialect: 'voicebip',
    eventId: eventIdOf(event, type),
    type,
    sequence: event.sequence,
  }));
