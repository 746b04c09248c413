import type { VoicebipEventName } from './events.ts';
import { address } from '../../domain/addresses.ts';
import { openConversation } from '../../domain/conversation/decide-inbound.ts';
import type { ConversationEvent } from '../../domain/conversation/events.ts';
import { newDelivery, newMessage } from '../../domain/conversation/decide-message.ts';
import type { ConversationState, Message } from '../../domain/conversation/state.ts';
import { HOUR, microsOf, type Micros } from '../../domain/time.ts';

/** A sample event for testing a receiver, about a contact and a conversation that do not exist. */
export function sampleEvent(name: VoicebipEventName, customerId: string, at: Micros): ConversationEvent {
  const conversation = sampleConversation(name, customerId, at);
  const placed = { sequence: 1, at };
  if (name === 'window.closing') return { ...placed, type: 'conversation.window_closing', conversation, change: null };
  if (name === 'message.opt_out') return { ...placed, type: 'conversation.updated', conversation, change: null };
  return { ...placed, type: 'message.created', message: sampleMessage(name, conversation, at), becameDone: false };
}

function sampleConversation(name: VoicebipEventName, customerId: string, at: Micros): ConversationState {
  const isWhatsApp = name === 'window.closing' || name === 'message.read';
  const kind = isWhatsApp ? 'whatsapp' : 'tel';
  const opened = openConversation(
    {
      conversationId: crypto.randomUUID(),
      customerId,
      participants: [],
      addressName: '',
      accountId: crypto.randomUUID(),
      type: isWhatsApp ? 'whatsapp' : 'message',
      dialogId: '+2348031234567',
      name: 'Sample',
      detail: '',
      optOut: name === 'message.opt_out',
      window: null,
      self: address(kind, '+2349012345678'),
      peer: address(kind, '+2348031234567'),
    },
    at,
  );
  if (name !== 'window.closing') return opened;
  return { ...opened, window: { until: at + microsOf(HOUR), humanExtraMs: 0, warned: true } };
}

/** Every real failure has an error, so the sample has one too. */
const FAILED = { status: 'failed', error: { code: 'SAMPLE', text: 'The provider’s words stand here' } } as const;

function sampleMessage(name: VoicebipEventName, state: ConversationState, at: Micros): Message {
  const content = { messageId: crypto.randomUUID(), text: 'A test from Parley', medias: [] };
  const message = { ...newMessage(state, content, at), sender: { type: 'contact' as const, id: '', name: '' } };
  if (name === 'message.received') {
    return { ...message, direction: 'incoming', source: state.peer, destination: state.self };
  }
  const delivery = {
    ...newDelivery(state, crypto.randomUUID(), null, at),
    ...(name === 'message.failed' ? FAILED : {}),
  };
  return { ...message, direction: 'outgoing', source: state.self, destination: state.peer, deliveries: [delivery] };
}
