import type { Micros } from '../time.ts';
import type { Content } from '../content.ts';
import type { ConversationState, Delivery, Message, Segments } from './state.ts';

/** What every new message of a conversation has, whoever wrote it. Its sequence is that of its event, and follows. */
export const newMessage = (state: ConversationState, content: Content & { messageId: string }, at: Micros) =>
  ({
    id: content.messageId,
    conversationId: state.id,
    customerId: state.customerId,
    accountId: state.accountId,
    sequence: 0,
    channel: state.type,
    referenceId: state.dialogId,
    text: content.text,
    medias: content.medias,
    clientId: '',
    fence: null,
    template: null,
    deliveries: [],
    routing: [],
    createdAt: at,
    updatedAt: at,
    deletedAt: null,
  }) satisfies Partial<Message>;

/** A channel whose contacts read the conversation's own log: nobody carries a message there, it is there with its commit. */
export const readsFromLog = (type: string): boolean => type === 'chat';

/** A delivery to the contact that nobody has tried yet. */
export const newDelivery = (state: ConversationState, id: string, segments: Segments | null, at: Micros): Delivery => ({
  id,
  accountId: state.accountId,
  addressName: state.addressName,
  channel: state.type,
  target: state.peer.target,
  status: readsFromLog(state.type) ? 'sent' : 'queued',
  attempts: 0,
  providerId: '',
  error: null,
  uncertain: false,
  segments,
  sentAt: readsFromLog(state.type) ? at : null,
  updatedAt: at,
});
