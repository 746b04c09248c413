import { media, type Content, type Media } from '../../domain/content.ts';
import { webUrl, parseJson, textOf } from '../encoding.ts';
import {
  attachmentSchema,
  type MessengerAttachment,
  type MessengerEvent,
  type MessengerMessage,
  bodySchema,
  eventSchema,
} from './wire.ts';
import { address } from '../../domain/addresses.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { microsOf, type Millis } from '../../domain/time.ts';
import type { ChannelAccount, HookContent, HookInbound, HookReceipt, HookRequest } from '../contract.ts';
import { providerText } from '../credentials.ts';
import { readMark } from '../meta/mark.ts';

/** Messenger names no MIME type in the webhook; these are what its file store serves for each kind. */
const FILE_TYPES: Record<string, string> = {
  image: 'image/jpeg',
  video: 'video/mp4',
  audio: 'audio/mp4',
  file: 'application/octet-stream',
};

/** A kind that we do not know becomes a placeholder, and never an empty text. */
export function messageContent({ text, attachments, quick_reply }: MessengerMessage): Content {
  const chosen = quick_reply ? [media('postback', { details: { data: quick_reply.payload } })] : [];
  const medias = [...attachments.map(readAttachment), ...chosen];
  if (text !== '' || medias.length > 0) return { text, medias };
  return { text: '[empty message]', medias: [] };
}

export const postbackContent = ({ title, payload }: NonNullable<MessengerEvent['postback']>): Content => ({
  text: title || payload || '[postback]',
  medias: [media('postback', { details: { data: payload } })],
});

/** One that cannot be read keeps its place. */
function readAttachment(raw: unknown): Media {
  const { data } = attachmentSchema.safeParse(raw);
  return data ? mediaOf(data) : media('unsupported', { details: { kind: 'unreadable' } });
}

/** What is neither a text nor a file, and still the contact's doing. */
export function gestureContent({ reaction, referral, optin }: MessengerEvent): Content | null {
  if (reaction) {
    const { mid: message_id, action, emoji } = reaction;
    return { text: '', medias: [media('reaction', { details: { message_id, action, emoji } })] };
  }
  if (referral) return { text: '', medias: [media('referral', { details: referral })] };
  return optin ? { text: '', medias: [media('optin', { details: optin })] } : null;
}

function mediaOf({ type, title, payload, url: link }: MessengerAttachment): Media {
  const { coordinates } = payload;
  const url = payload.url || link;
  if (coordinates) {
    return media('location', { details: { latitude: `${coordinates.lat}`, longitude: `${coordinates.long}` } });
  }
  const known = Object.hasOwn(FILE_TYPES, type) ? FILE_TYPES[type] : undefined;
  return known
    ? media(known, { url: webUrl(url) })
    : media('unsupported', { url: webUrl(url), details: { kind: type, ...(title === '' ? {} : { title }) } });
}

/** One event that cannot be read does not keep the others from being taken in. What is of another page is another account's. */
export function parse(request: HookRequest, account: ChannelAccount, now: Millis): Result<HookContent, string> {
  const { data: body } = bodySchema.safeParse(parseJson(textOf(request.body)));
  if (!body) return err('the body is not a Messenger webhook: no object, or no list of entries');
  const entries = body.entry.filter((entry) => entry.id === providerText(account, 'page_id'));
  const events = entries.flatMap(({ messaging }) => eventsIn(messaging));
  // Another app has the thread: what is said is kept, and nothing of ours answers.
  const overheard = entries.flatMap(({ standby }) => eventsIn(standby));
  return ok({
    inbound: [
      ...events.flatMap((event) => inboundOf(event, now)),
      ...overheard.flatMap((event) => inboundOf(event, now)).map(unanswered),
    ],
    receipts: [...events, ...overheard].flatMap(receiptsOf),
  });
}

/** The pages that a request is about: an app has one webhook for all of its own. */
export function addressees(request: HookRequest): { field: string; ids: string[] } {
  const entries = bodySchema.safeParse(parseJson(textOf(request.body))).data?.entry ?? [];
  return { field: 'page_id', ids: entries.map(({ id }) => id).filter((id) => id !== '') };
}

const eventsIn = (raw: unknown[]): MessengerEvent[] => raw.flatMap((each) => eventSchema.safeParse(each).data ?? []);

const unanswered = (inbound: HookInbound): HookInbound =>
  inbound.item.kind === 'message' ? { ...inbound, item: { ...inbound.item, isAnswerable: false } } : inbound;

function inboundOf(event: MessengerEvent, now: Millis): HookInbound[] {
  const { message, postback, delivery, read } = event;
  if (message?.is_echo) return echoOf(event, message, now);
  if (message) return said(event, message.mid, messageContent(message), now);
  if (postback) return said(event, postback.mid || `${event.timestamp ?? now}`, postbackContent(postback), now);
  const gesture = gestureContent(event);
  if (gesture) return said(event, gestureId(event, now), gesture, now, { isAnswerable: false });
  if (delivery) return watermarkOf(event, 'delivered', delivery.watermark, now);
  return read ? watermarkOf(event, 'read', read.watermark, now) : [];
}

/** Gestures have no id of their own. */
const gestureId = ({ timestamp, reaction, sender }: MessengerEvent, now: Millis): string =>
  ['gesture', sender.id, reaction?.mid ?? '', reaction?.action ?? '', reaction?.emoji ?? '', timestamp ?? now].join(
    ':',
  );

function said(
  { sender, timestamp }: MessengerEvent,
  id: string,
  content: Content,
  now: Millis,
  nature: { isAnswerable?: boolean } = {},
): HookInbound[] {
  const item = { kind: 'message' as const, dedupeKey: `messenger:${id}`, ...content, ...nature, senderId: sender.id };
  return placed(sender.id, timestamp ?? now, { ...item, senderName: '', replyToken: null });
}

/** Our own sends come back too, known by what we wrote into them; the others a person wrote in Meta's inbox. */
function echoOf({ recipient, timestamp }: MessengerEvent, message: MessengerMessage, now: Millis): HookInbound[] {
  if (readMark(message.metadata)) return [];
  const item = { kind: 'echo' as const, dedupeKey: `messenger:${message.mid}`, ...messageContent(message) };
  return placed(recipient.id, timestamp ?? now, { ...item, providerId: message.mid });
}

/** Watermarks, not messages: everything until then. */
const watermarkOf = ({ sender, timestamp }: MessengerEvent, status: 'delivered' | 'read', until: Millis, now: Millis) =>
  placed(sender.id, timestamp ?? now, {
    kind: 'watermark',
    dedupeKey: `messenger:${status}:${sender.id}:${until}`,
    status,
    until: microsOf(Math.max(0, Math.floor(until))),
  });

const placed = (contact: string, occurredAt: Millis, item: HookInbound['item']): HookInbound[] =>
  contact === '' ? [] : [{ peer: address('messenger', contact), dialogId: contact, occurredAt, item }];

/** The echo of our own send tells that Messenger has it, also where its answer was lost. */
function receiptsOf({ message }: MessengerEvent): HookReceipt[] {
  const ours = message?.is_echo ? readMark(message.metadata) : null;
  return ours && message ? [{ ...ours, news: { status: 'sent', providerId: message.mid } }] : [];
}
