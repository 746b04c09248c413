import { address } from '../../domain/addresses.ts';
import type { Content } from '../../domain/content.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { microsOf, type Millis } from '../../domain/time.ts';
import type { ChannelAccount, HookContent, HookInbound, HookReceipt, HookRequest } from '../contract.ts';
import { providerText } from '../credentials.ts';
import { parseJson, textOf } from '../encoding.ts';
import { readMark } from '../meta/mark.ts';
import { gestureContent, messageContent, postbackContent } from './content.ts';
import { bodySchema, eventSchema, type MessengerEvent, type MessengerMessage } from './wire.ts';

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
