import { presentChannel } from './conversation.ts';
import { writeId } from './ids.ts';
import { presentMessage } from './message.ts';
import { second, secondOrNull } from './times.ts';
import { isMessageEvent, type ConversationEvent } from '../../domain/conversation/events.ts';
import type { ConversationState, Message, Segments } from '../../domain/conversation/state.ts';

/** Context of a webhook besides its event. */
export interface WebhookContext {
  eventId: string;
  name: string;
  /** The assistant of the account, if one answers there. */
  agentId: string | null;
  /** The encoding of an SMS text; null on other channels. */
  encoding: Segments['encoding'] | null;
}

/** The text whose `encoding` a webhook states; empty for other messages. */
export const smsTextOf = (event: ConversationEvent): string =>
  isMessageEvent(event) && event.message.channel === 'message' ? event.message.text : '';

/** Voicebip's envelope (facts/voicebip.md, "Webhook envelope"): `number` is ours and `from` the contact's, in both directions. */
export function presentWebhook(event: ConversationEvent, context: WebhookContext) {
  const { channel, ours, theirs } = endsOf(event);
  return {
    event_id: context.eventId,
    event_type: context.name,
    channel: presentChannel(channel),
    agent_id: context.agentId === null ? null : writeId('agt', context.agentId),
    number: ours.target,
    from: theirs.target,
    timestamp: second(event.at),
    payload: isMessageEvent(event) ? messagePayload(event.message, context) : conversationPayload(event.conversation),
  };
}

function endsOf(event: ConversationEvent) {
  if (!isMessageEvent(event)) {
    const { type, self, peer } = event.conversation;
    return { channel: type, ours: self, theirs: peer };
  }
  const { channel, direction, source, destination } = event.message;
  return direction === 'incoming'
    ? { channel, ours: destination, theirs: source }
    : { channel, ours: source, theirs: destination };
}

function messagePayload(message: Message, { name, encoding }: WebhookContext) {
  const shown = presentMessage(message);
  const status = name.slice('message.'.length);
  return { ...shown, status, ...(encoding ? { encoding } : {}), ...inboundPart(message, name) };
}

/** Voicebip's guide nests inbound WhatsApp messages, but not inbound SMS: both forms are supported. */
function inboundPart(message: Message, name: string) {
  if (message.channel !== 'whatsapp' || name !== 'message.received') return {};
  const { message_id, body, message_type: type, created_at: received_at } = presentMessage(message);
  return { inbound_message: { message_id, body, type, received_at } };
}

const conversationPayload = ({ id, window, optOut }: ConversationState) => ({
  conversation_id: writeId('conv', id),
  opt_out: optOut,
  window_expires_at: secondOrNull(window && window.until > 0 ? window.until : null),
});

/** A notice about the endpoint itself: a requested test, or that another endpoint was disabled. */
export const presentNotice = (eventId: string, name: string, at: number, data: Record<string, string>) => ({
  event_id: eventId,
  event_type: name,
  timestamp: second(at),
  payload: data,
});
