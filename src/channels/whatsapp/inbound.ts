import { media, type Content, type Media } from '../../domain/content.ts';
import {
  type WhatsAppMessage,
  bodySchema,
  changeSchema,
  contactSchema,
  isUserId,
  messageSchema,
  statusErrorSchema,
  statusSchema,
  type WhatsAppContact,
  type WhatsAppStatus,
} from './wire.ts';
import { address, type Address } from '../../domain/addresses.ts';
import type { ProviderError, DeliveryStatus } from '../../domain/conversation/state.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { SECOND, type Millis } from '../../domain/time.ts';
import type { ChannelAccount, HookContent, HookInbound, HookReceipt, HookRequest } from '../contract.ts';
import { providerText } from '../credentials.ts';
import { parseJson, textOf } from '../encoding.ts';
import { readMark } from '../meta/mark.ts';

const FILES = ['image', 'audio', 'video', 'document', 'sticker'] as const;

/** What a message says, in the core's words. A kind that we do not know becomes a placeholder, and never an empty text. */
export function contentOf(message: WhatsAppMessage): Content {
  const found = textContent(message) ?? fileContent(message) ?? otherContent(message);
  const kind = message.type;
  const content = found ?? { text: `[unsupported: ${kind}]`, medias: [media('unsupported', { details: { kind } })] };
  const answered = message.context?.id ?? '';
  // Which message it answers, by WhatsApp's own id of it.
  const reference = answered === '' ? [] : [media('reply', { details: { message_id: answered } })];
  return { ...content, medias: [...content.medias, ...reference] };
}

function textContent({ text, button, interactive }: WhatsAppMessage): Content | null {
  if (text?.body) return { text: text.body, medias: [] };
  if (button) return chosen(button.text, button.payload);
  const form = interactive?.nfm_reply;
  if (form)
    return { text: form.body, medias: [media('form', { details: { name: form.name, data: form.response_json } })] };
  const reply = interactive?.button_reply ?? interactive?.list_reply;
  return reply ? chosen(reply.title, reply.id) : null;
}

/** What the contact chose reads like a text; which of our buttons it was stands beside it. */
const chosen = (title: string, data: string): Content => ({
  text: title,
  medias: [media('postback', { details: { data } })],
});

/** Only the account's token opens a file, so a client gets our own URL of it. */
function fileContent(message: WhatsAppMessage): Content | null {
  for (const kind of FILES) {
    const file = message[kind];
    if (!file?.id) continue;
    const { id: providerRef, mime_type, filename, caption } = file;
    return { text: caption, medias: [media(mime_type.split(';')[0] || kind, { providerRef, filename })] };
  }
  return null;
}

function otherContent({ location, reaction, contacts, order, system }: WhatsAppMessage): Content | null {
  if (location) return { text: '', medias: [locationMedia(location)] };
  if (reaction) {
    const details = { message_id: reaction.message_id, emoji: reaction.emoji };
    return { text: '', medias: [media('reaction', { details })] };
  }
  if (system) return { text: system.body, medias: [media('system', { details: systemDetails(system) })] };
  if (order) return { text: order.text, medias: [media('order', { details: orderDetails(order) })] };
  return contacts && contacts.length > 0 ? { text: '', medias: contacts.map(card) } : null;
}

const locationMedia = ({ latitude, longitude, name, address }: NonNullable<WhatsAppMessage['location']>): Media =>
  media('location', { details: { latitude: String(latitude), longitude: String(longitude), title: name, address } });

/** A number that was changed, most of all: who the contact is from now on. */
const systemDetails = ({ type, wa_id, user_id }: NonNullable<WhatsAppMessage['system']>) => ({
  kind: type,
  wa_id,
  user_id,
});

const orderDetails = ({ catalog_id, product_items }: NonNullable<WhatsAppMessage['order']>) => ({
  catalog_id,
  items: JSON.stringify(product_items),
});

const card = ({ name, phones, emails }: NonNullable<WhatsAppMessage['contacts']>[number]): Media =>
  media('contacts', {
    details: {
      names: name.formatted_name,
      phones: phones.map(({ phone }) => phone).join(', '),
      emails: emails.map(({ email }) => email).join(', '),
    },
  });

/** `played` is what `read` is to a voice message. Statuses come in any order; `delivered` may never come. */
const STATUSES: Record<string, DeliveryStatus> = {
  sent: 'sent',
  delivered: 'delivered',
  read: 'read',
  played: 'read',
  failed: 'failed',
};

/** One part that cannot be read does not keep the others from being taken in. What is of another number is another account's. */
export function parse(request: HookRequest, account: ChannelAccount, now: Millis): Result<HookContent, string> {
  const { data: body } = bodySchema.safeParse(parseJson(textOf(request.body)));
  if (!body) return err('the body is not a WhatsApp webhook: no object, or no list of entries');
  const changes = body.entry
    .flatMap((entry) => entry.changes)
    .map((change) => changeSchema.safeParse(change).data)
    .filter((change) => change?.value.metadata.phone_number_id === providerText(account, 'phone_number_id'))
    .filter((change) => change !== undefined);
  const values = changes.map(({ value }) => value);
  return ok({
    inbound: values
      .flatMap((value) => [
        ...messagesIn(value.messages).map((message) => saidBy(message, contactsIn(value.contacts), now)),
        ...messagesIn(value.message_echoes).map((message) => echoOf(message, now)),
      ])
      .filter((item) => item !== null),
    receipts: values.flatMap((value) => value.statuses.flatMap(receiptsIn)),
  });
}

/** The numbers that a request is about: an app has one webhook for all of its own. */
export function addressees(request: HookRequest): { field: string; ids: string[] } {
  const entries = bodySchema.safeParse(parseJson(textOf(request.body))).data?.entry ?? [];
  const changes = entries.flatMap((entry) => entry.changes).map((change) => changeSchema.safeParse(change).data);
  const ids = changes.map((change) => change?.value.metadata.phone_number_id ?? '');
  return { field: 'phone_number_id', ids: ids.filter((id) => id !== '') };
}

const messagesIn = (raw: unknown[]): WhatsAppMessage[] =>
  raw.flatMap((each) => messageSchema.safeParse(each).data ?? []);

const contactsIn = (raw: unknown[]): WhatsAppContact[] =>
  raw.flatMap((each) => contactSchema.safeParse(each).data ?? []);

/**
 * A contact is its telephone number, or its business-scoped user id where it shows none (facts/providers.md 1.4): Meta recommends
 * the number as long as there is one.
 */
const peerOf = (phone: string, userId: string, name: string): Address | null => {
  if (/^\+?\d{5,15}$/.test(phone)) return address('whatsapp', `+${phone.replace('+', '')}`, name);
  return userId === '' ? null : address('whatsapp', userId, name);
};

function saidBy(message: WhatsAppMessage, contacts: WhatsAppContact[], now: Millis): HookInbound | null {
  const { name, phone, userId } = authorOf(message, contactOf(message, contacts));
  const isGroup = message.group_id !== '';
  const peer = isGroup ? address('whatsapp', message.group_id, name) : peerOf(phone, userId, name);
  if (!peer) return null;
  const senderId = isGroup ? userId || phone : peer.target;
  const item = { ...keyOf(message), ...contentOf(message), ...natureOf(message), senderId, senderName: name };
  // A group is one conversation, and nobody in it speaks for the others.
  const known = isGroup ? {} : { alias: peer.target === userId ? '' : userId };
  return { ...placeOf(peer, message, now), ...known, item: { kind: 'message', ...item, replyToken: null } };
}

/** Whatever a request shows of who wrote. */
function authorOf(message: WhatsAppMessage, contact: WhatsAppContact | undefined) {
  const { wa_id = '', user_id = '', profile } = contact ?? {};
  return {
    name: profile?.name || profile?.username || '',
    phone: message.from || wa_id,
    userId: [message.from_user_id, user_id, message.from, wa_id].find(isUserId) ?? '',
  };
}

/** Where a request is about one contact, it is that one's, whatever of it a message shows. */
const contactOf = (message: WhatsAppMessage, contacts: WhatsAppContact[]): WhatsAppContact | undefined =>
  contacts.find(({ wa_id, user_id }) => isSame(wa_id, message.from) || isSame(user_id, message.from_user_id)) ??
  (contacts.length === 1 ? contacts[0] : undefined);

/** A changed number is WhatsApp's notice, not the contact's word; a reaction asks for no answer. */
const natureOf = ({ type }: WhatsAppMessage) => {
  if (type === 'system') return { isNotice: true, isAnswerable: false };
  return type === 'reaction' ? { isAnswerable: false } : {};
};

const isSame = (one: string, other: string): boolean => one !== '' && one === other;

/** What the business wrote in its own app, on a number that both use (`smb_message_echoes`). */
function echoOf(message: WhatsAppMessage, now: Millis): HookInbound | null {
  const peer = peerOf(message.to, message.to_user_id, '');
  if (!peer) return null;
  return {
    ...placeOf(peer, message, now),
    item: { kind: 'echo', ...keyOf(message), ...contentOf(message), providerId: message.id },
  };
}

const keyOf = ({ id }: WhatsAppMessage) => ({ dedupeKey: `whatsapp:${id}` });

const placeOf = (peer: Address, { timestamp }: WhatsAppMessage, now: Millis) => ({
  peer,
  dialogId: peer.target,
  occurredAt: /^\d{1,12}$/.test(timestamp) ? Number(timestamp) * SECOND : now,
});

/** Our own word for the delivery comes back with each status (`biz_opaque_callback_data`); what is not ours has none. */
function receiptsIn(raw: unknown): HookReceipt[] {
  const { data } = statusSchema.safeParse(raw);
  const target = data && readMark(data.biz_opaque_callback_data);
  const status = data && Object.hasOwn(STATUSES, data.status) ? STATUSES[data.status] : undefined;
  if (!data || !target || !status) return [];
  const failure = status === 'failed' ? { error: errorOf(data) } : {};
  return [{ ...target, news: { status, providerId: data.id, ...failure } }];
}

function errorOf({ errors }: WhatsAppStatus): ProviderError {
  const [error] = errors.flatMap((raw) => statusErrorSchema.safeParse(raw).data ?? []);
  if (!error) return { code: 'FAILED', text: 'WhatsApp reports failed' };
  return { code: String(error.code), text: error.error_data.details || error.title };
}
