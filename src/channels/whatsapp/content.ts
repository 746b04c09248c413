import { media, type Content, type Media } from '../../domain/content.ts';
import type { WhatsAppMessage } from './wire.ts';

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
