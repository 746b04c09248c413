import type { Message } from '../../domain/conversation/state.ts';

/** A message as a visitor of the web chat sees it: at most the sender's name is shown, and no other deliveries. */
export const presentForVisitor = (message: Message, visitor: string) => ({
  id: message.id,
  conversation_id: message.conversationId,
  sequence: message.sequence,
  direction: message.direction,
  text: message.text,
  medias: message.medias.map(({ type, filename }, index) => ({ type, filename, index })),
  sender: senderOf(message),
  client_id: message.direction === 'incoming' ? message.clientId : '',
  tm_create: new Date(message.createdAt / 1000).toISOString(),
  is_read: message.deliveries.some(
    (each) => each.channel === 'chat' && each.target === visitor && each.status === 'read',
  ),
});

/** Names of people and assistants are public; names of flows and access keys are internal. */
function senderOf({ direction, sender }: Message): { type: 'visitor' | 'person' | 'automatic'; name: string } {
  if (direction === 'incoming') return { type: 'visitor', name: '' };
  if (sender.type === 'agent') return { type: 'person', name: sender.name };
  if (sender.type === 'device') return { type: 'person', name: '' };
  return { type: 'automatic', name: sender.type === 'assistant' ? sender.name : '' };
}
