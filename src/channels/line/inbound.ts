import { address } from '../../domain/addresses.ts';
import type { Content } from '../../domain/content.ts';
import type { ReplyToken } from '../../domain/conversation/commands.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { Millis } from '../../domain/time.ts';
import type { ChannelAccount, HookContent, HookInbound, HookRequest } from '../contract.ts';
import { hmacMatches, parseJson, textOf } from '../encoding.ts';
import { eventContent, messageContent, postbackContent } from './content.ts';
import { bodySchema, eventSchema, type LineEvent } from './wire.ts';

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
