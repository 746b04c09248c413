import type { Micros } from '../time.ts';
import type { Content } from '../content.ts';
import type { ConversationState, Delivery, Message, Segments, ProviderError, DeliveryStatus } from './state.ts';
import { joinStatus, becameDone } from './delivery/delivery-status.ts';
import type { NewConversationEvent } from './events.ts';
import type { DeliveryNews } from './commands.ts';

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

/** News about one delivery. Late or repeated news that changes nothing is no event. */
export function decideDeliveryNews(
  message: Message,
  deliveryId: string,
  news: DeliveryNews,
  at: Micros,
): NewConversationEvent[] {
  const before = message.deliveries.find((delivery) => delivery.id === deliveryId);
  if (!before || message.deletedAt !== null) return [];
  const after = applyNews(before, news, at);
  if (!after) return [];
  const deliveries = message.deliveries.map((delivery) => (delivery.id === deliveryId ? after : delivery));
  const updated = { ...message, deliveries, updatedAt: at };
  return [{ type: 'message.updated', message: updated, becameDone: becameDone(message.deliveries, deliveries) }];
}

/** What had been sent by one way has reached the contact; what had not been, cannot have. */
export const decideReached = (
  message: Message,
  addressName: string,
  status: 'delivered' | 'read',
  until: Micros,
  at: Micros,
): NewConversationEvent[] =>
  message.deliveries
    .filter((delivery) => delivery.addressName === addressName)
    .filter((delivery) => delivery.status === 'sent' || delivery.status === 'delivered')
    .filter(({ sentAt }) => (sentAt ?? message.createdAt) <= until)
    .flatMap(({ id }) => decideDeliveryNews(message, id, { status }, at));

/** The delivery with the news in it, or null when it says nothing new to a client. What is over stays as it ended. */
function applyNews(before: Delivery, news: DeliveryNews, at: Micros): Delivery | null {
  const status = joinStatus(before.status, news.status);
  const { uncertain = false, attempts = 0, error = null } = news;
  const isNews = status !== before.status || isAnotherTry(before, status, attempts);
  if (!isNews && (!uncertain || before.uncertain)) return null;
  return {
    ...before,
    status,
    uncertain: before.uncertain || uncertain,
    error: shownError(status, isNews ? error : before.error),
    attempts: Math.max(before.attempts, attempts),
    ...takenBy(before, news, status),
    updatedAt: at,
  };
}

/** What the provider calls it, and the attempt by which it took it: the one that is reported with the first news of that. */
function takenBy(before: Delivery, { providerId, sentAt }: DeliveryNews, status: DeliveryStatus) {
  const isTaken = status !== 'queued' && status !== 'sending' && status !== 'failed';
  const takenAt = isTaken ? (sentAt ?? null) : null;
  return { providerId: providerId || before.providerId, sentAt: before.sentAt ?? takenAt };
}

const isAnotherTry = (before: Delivery, status: DeliveryStatus, attempts: number): boolean =>
  status === 'sending' && attempts > before.attempts;

/** What got through has no error, whatever went wrong on the way. */
const shownError = (status: DeliveryStatus, error: ProviderError | null): ProviderError | null =>
  status === 'failed' || status === 'sending' ? error : null;

/** A deleted message keeps its place; its text and medias are gone from every answer, event and replay. */
export function decideDeleteMessage(message: Message, at: Micros): NewConversationEvent[] {
  if (message.deletedAt !== null) return [];
  const emptied = { ...message, text: '', medias: [], updatedAt: at, deletedAt: at };
  return [{ type: 'message.deleted', message: emptied, becameDone: false }];
}
