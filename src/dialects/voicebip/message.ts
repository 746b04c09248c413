import type { Message } from '../../domain/conversation/state.ts';
import { mediaUrl } from '../media-url.ts';
import { presentChannel } from './conversation.ts';
import { writeId } from './ids.ts';
import { second } from './times.ts';

/** Seed 003's `direction`. */
const directionOf = (message: Message) => (message.direction === 'incoming' ? 'inbound' : 'outbound');

/** The first delivery's status. This dialect shows `sending` as `queued`. */
const statusOf = ({ direction, deliveries: [delivery] }: Message): string => {
  if (direction === 'incoming') return 'received';
  return delivery === undefined || delivery.status === 'sending' ? 'queued' : delivery.status;
};

const KINDS = ['image', 'audio', 'video'];

/** `text`, or the kind of its file. */
const typeOf = ({ medias: [file] }: Message): string => {
  if (!file) return 'text';
  const [kind = '', rest] = file.type.split('/');
  if (rest === undefined) return kind;
  return KINDS.includes(kind) ? kind : 'document';
};

const presentMedias = (message: Message) =>
  message.medias.map((media, index) => ({
    type: media.type,
    url: mediaUrl(message, media, index),
    ...(media.filename === '' ? {} : { filename: media.filename }),
  }));

export const presentMessage = (message: Message) => ({
  message_id: writeId('msg', message.id),
  conversation_id: writeId('conv', message.conversationId),
  direction: directionOf(message),
  channel: presentChannel(message.channel),
  message_type: message.template ? 'template' : typeOf(message),
  body: message.text,
  media: presentMedias(message),
  status: statusOf(message),
  error: message.deliveries[0]?.error ?? null,
  created_at: second(message.createdAt),
});

/** The answer to `POST /v1/messages`. The number of segments is known before sending. */
export const presentAccepted = (message: Message) => ({
  message_id: writeId('msg', message.id),
  conversation_id: writeId('conv', message.conversationId),
  channel: presentChannel(message.channel),
  status: 'queued',
  from_number: message.source.target,
  to_number: message.destination.target,
  segments: message.deliveries[0]?.segments?.count ?? 1,
  created_at: second(message.createdAt),
});
