import { media, type Content, type Media } from '../../domain/content.ts';
import { webUrl, hmacMatches, parseJson, textOf } from '../encoding.ts';
import {
  fileSchema,
  locationSchema,
  stickerSchema,
  textSchema,
  type LineEvent,
  type LineMessage,
  bodySchema,
  eventSchema,
} from './wire.ts';
import { address } from '../../domain/addresses.ts';
import type { ReplyToken } from '../../domain/conversation/commands.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { Millis } from '../../domain/time.ts';
import type { ChannelAccount, HookContent, HookInbound, HookRequest } from '../contract.ts';

/** LINE names no MIME type in the webhook; these are what its content endpoint serves for each kind. */
const FILE_TYPES: Record<string, string> = {
  image: 'image/jpeg',
  video: 'video/mp4',
  audio: 'audio/mp4',
  file: 'application/octet-stream',
};

/** A kind that we do not know must still be seen by whoever answers, so it never becomes an empty text. */
const unsupported = (text: string, kind: string): Content => ({
  text,
  medias: [media('unsupported', { details: { kind } })],
});

export function messageContent(message: LineMessage): Content {
  return knownContent(message) ?? unsupported(`[unsupported: ${message.type}]`, message.type);
}

/** Kept as a message: an event that we do not know may be something that the contact did. */
export const eventContent = (event: LineEvent): Content => unsupported(`[line event: ${event.type}]`, event.type);

export function postbackContent({ data, params }: NonNullable<LineEvent['postback']>): Content {
  return { text: data || '[postback]', medias: [media('postback', { details: { ...params, data } })] };
}

function knownContent(message: LineMessage): Content | null {
  switch (message.type) {
    case 'text':
      return textSchema.transform(({ text }) => ({ text, medias: [] })).safeParse(message).data ?? null;
    case 'location':
      return only(location(message));
    case 'sticker':
      return only(sticker(message));
    default:
      return only(file(message));
  }
}

const only = (single: Media | null): Content | null => single && { text: '', medias: [single] };

function location(message: LineMessage): Media | null {
  const { data } = locationSchema.safeParse(message);
  if (!data) return null;
  const { title, address, latitude, longitude } = data;
  return media('location', { details: { title, address, latitude: `${latitude}`, longitude: `${longitude}` } });
}

function sticker(message: LineMessage): Media | null {
  const { data } = stickerSchema.safeParse(message);
  return data ? media('sticker', { details: { package_id: data.packageId, sticker_id: data.stickerId } }) : null;
}

function file(message: LineMessage): Media | null {
  const type = Object.hasOwn(FILE_TYPES, message.type) ? FILE_TYPES[message.type] : undefined;
  const { data } = fileSchema.safeParse(message);
  if (type === undefined || !data) return null;
  const external = data.contentProvider.type === 'external';
  const source = external ? { url: webUrl(data.contentProvider.originalContentUrl) } : { providerRef: message.id };
  return media(type, { filename: data.fileName, ...source });
}

/** A token lives for about a minute from the event; LINE's integrators count on 50 seconds (facts/providers.md 1.3). */
const REPLY_TOKEN_MS = 50_000;

/** Nothing that the contact said, or about the bot itself: no conversation is about them. */
const IGNORED = new Set([
  'memberJoined',
  'memberLeft',
  'videoPlayComplete',
  'delivery',
  'activated',
  'deactivated',
  'botSuspended',
  'botResumed',
  'module',
]);

/** `x-line-signature`: base64(HMAC-SHA256(channel secret, raw body)). */
export const verify = (request: HookRequest, account: ChannelAccount): Promise<boolean> =>
  hmacMatches('SHA-256', account.secret, request.body, request.headers.get('x-line-signature') ?? '');

/** LINE keeps no order between webhooks and asks receivers to go by the events' timestamps. */
export function parse(request: HookRequest, _account: ChannelAccount, now: Millis): Result<HookContent, string> {
  const body = bodySchema.safeParse(parseJson(textOf(request.body)));
  if (!body.success) return err('the body is not a LINE webhook: no list of events');
  const inbound = body.data.events
    .map((event) => inboundOf(event, now))
    .filter((item) => item !== null)
    .toSorted((a, b) => a.occurredAt - b.occurredAt);
  return ok({ inbound, receipts: [] });
}

function inboundOf(raw: unknown, now: Millis): HookInbound | null {
  const { data: event } = eventSchema.safeParse(raw);
  if (!event || IGNORED.has(event.type)) return null;
  const dialogId = dialogOf(event);
  if (dialogId === '') return null;
  const occurredAt = event.timestamp ?? now;
  return { peer: address('line', dialogId), dialogId, occurredAt, item: itemOf(event, dialogId, occurredAt) };
}

/** Groups and rooms are conversations of their own: all their members write into one. */
function dialogOf({ source }: LineEvent): string {
  if (!source) return '';
  if (source.type === 'group') return source.groupId;
  return source.type === 'room' ? source.roomId : source.userId;
}

function itemOf(event: LineEvent, dialogId: string, at: Millis): HookInbound['item'] {
  const dedupeKey = keyOf(event, dialogId);
  switch (event.type) {
    case 'unsend':
      if (!event.unsend) return said(event, dialogId, at, eventContent(event));
      return { kind: 'redaction', dedupeKey, targetKey: messageKey(event.unsend.messageId) };
    case 'follow':
    case 'join':
      return { kind: 'reachability', dedupeKey, reachable: true, replyToken: replyTokenOf(event, at) };
    case 'unfollow':
    case 'leave':
      return { kind: 'reachability', dedupeKey, reachable: false, replyToken: null };
    default:
      return said(event, dialogId, at, contentOf(event));
  }
}

function contentOf(event: LineEvent): Content {
  if (event.type === 'message' && event.message) return messageContent(event.message);
  if (event.type === 'postback' && event.postback) return postbackContent(event.postback);
  return eventContent(event);
}

const said = (event: LineEvent, dialogId: string, at: Millis, content: Content): HookInbound['item'] => ({
  kind: 'message',
  dedupeKey: keyOf(event, dialogId),
  ...content,
  senderId: event.source?.userId ?? '',
  senderName: '',
  replyToken: replyTokenOf(event, at),
});

const messageKey = (id: string): string => `line:m:${id}`;

/** A redelivery carries the same ids. An event without any is told from others by where and when it happened. */
function keyOf(event: LineEvent, dialogId: string): string {
  if (event.type === 'message' && event.message?.id) return messageKey(event.message.id);
  return `line:e:${event.webhookEventId || `${event.type}:${dialogId}:${event.timestamp ?? 0}`}`;
}

/** A redelivered event is late, or its token was used the first time: it must not keep a push from being sent. */
function replyTokenOf(event: LineEvent, at: Millis): ReplyToken | null {
  if (event.replyToken === '' || event.deliveryContext.isRedelivery) return null;
  return { token: event.replyToken, expiresAt: at + REPLY_TOKEN_MS };
}
