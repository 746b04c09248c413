import type { Choice, Delivery, Message } from '../../domain/conversation/state.ts';
import { progressOfMessage } from '../../domain/conversation/delivery/delivery-status.ts';
import { NIL_UUID } from '../../domain/ids.ts';
import { mediaUrl } from '../media-url.ts';
import { presentAddress } from './conversation.ts';
import { blankTime, isoSecond, NEVER } from './times.ts';

type PresentedMedia = { type: string; url: string } & Record<string, string>;

const presentMedias = (message: Message): PresentedMedia[] =>
  message.medias.map((media, index) => ({
    ...media.details,
    ...(media.filename === '' ? {} : { filename: media.filename }),
    type: media.type,
    url: mediaUrl(message, media, index),
  }));

const presentDelivery = (delivery: Delivery) => ({
  id: delivery.id,
  account_id: delivery.accountId,
  channel: delivery.channel,
  target: delivery.target,
  status: delivery.status,
  attempts: delivery.attempts,
  provider_id: delivery.providerId,
  error: delivery.error === null ? null : { code: delivery.error.code, message: delivery.error.text },
  uncertain: delivery.uncertain,
  segments: delivery.segments,
  fallback_for: delivery.fallbackFor ?? NIL_UUID,
  tm_update: blankTime(delivery.updatedAt),
});

/** Why this channel was chosen for a participant. */
export const presentChoice = ({ participantId, chosen, rejected }: Choice) => ({
  participant_id: participantId,
  chosen: chosen && presentOption(chosen),
  rejected: rejected.map(({ reason, problem, ...option }) => ({ ...presentOption(option), reason, problem })),
});

const presentOption = ({ channel, accountId, target }: NonNullable<Choice['chosen']>) => ({
  channel,
  account_id: accountId,
  target,
});

const statusOf = (message: Message): string =>
  message.direction === 'incoming' ? 'received' : progressOfMessage(message.deliveries);

/** Seed 000's message, plus what spec section 3 adds. */
export const presentMessage = (message: Message) => ({
  id: message.id,
  customer_id: message.customerId,
  conversation_id: message.conversationId,
  direction: message.direction,
  status: statusOf(message),
  reference_type: message.channel,
  reference_id: message.referenceId,
  subject: message.mail?.subject ?? '',
  text: message.text,
  medias: presentMedias(message),
  tm_create: blankTime(message.createdAt),
  tm_update: blankTime(message.updatedAt),
  tm_delete: message.deletedAt === null ? NEVER : blankTime(message.deletedAt),
  sequence: message.sequence,
  source: presentAddress(message.source),
  destination: presentAddress(message.destination),
  sender: { type: message.sender.type, id: message.sender.id, name: message.sender.name },
  deliveries: message.deliveries.map(presentDelivery),
  client_id: message.clientId,
  template: message.template,
  routing: message.routing.map(presentChoice),
});

/** What seed 000 calls the channel of an inbound message: SMS and MMS share one conversation type, but are two channels. */
const channelName = (message: Message): string => {
  if (message.channel !== 'message') return message.channel;
  return message.medias.length === 0 ? 'sms' : 'mms';
};

/** The nested shape of seed 000's "Inbound Message Webhook". */
export const presentReceived = (message: Message) => ({
  conversation_id: message.conversationId,
  message: {
    id: message.id,
    participant: { type: message.source.type, target: message.source.target },
    channel: channelName(message),
    text: message.text,
    medias: presentMedias(message),
    direction: 'inbound',
    tm_create: isoSecond(message.createdAt),
  },
});
