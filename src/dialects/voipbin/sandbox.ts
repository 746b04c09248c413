import { z } from 'zod';
import { blankTime } from './times.ts';
import type { Micros } from '../../domain/time.ts';

interface PhoneMessage {
  id: string;
  messageId: string;
  conversationId: string;
  sender: string;
  recipient: string;
  text: string;
  /** JSON. */
  medias: string;
  createdAt: Micros;
}

const mediasSchema = z.array(z.object({ type: z.string(), url: z.string() }));

/** A message as the contact's phone shows it. */
export const presentOnPhone = (message: PhoneMessage) => ({
  id: message.id,
  message_id: message.messageId,
  conversation_id: message.conversationId,
  from: message.sender,
  to: message.recipient,
  text: message.text,
  medias: mediasSchema.parse(JSON.parse(message.medias)),
  tm_create: blankTime(message.createdAt),
});
