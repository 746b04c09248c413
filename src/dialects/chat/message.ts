import type { Message } from '../../domain/conversation/state.ts';

/** A message as a visitor of the web chat sees it: who answers there has a name and no id, and where else it went is nobody's business. */
export const presentForVisitor = (message: Message) => ({
  id: message.id,
  conversation_id: message.conversationId,
  sequence: message.sequence,
  direction: message.direction,
  text: message.text,
  medias: message.medias.map(({ type, filename }, index) => ({ type, filename, index })),
  sender: { type: senderOf(message), name: message.direction === 'incoming' ? '' : message.sender.name },
  client_id: message.clientId,
  tm_create: new Date(message.createdAt / 1000).toISOString(),
  is_read: message.deliveries.some(({ status }) => status === 'read'),
});

function senderOf({ direction, sender }: Message): 'visitor' | 'person' | 'automatic' {
  if (direction === 'incoming') return 'visitor';
  return sender.type === 'agent' || sender.type === 'device' ? 'person' : 'automatic';
}
