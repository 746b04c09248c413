import { media, type Content, type Media } from '../../domain/content.ts';
import { webUrl } from '../encoding.ts';
import { attachmentSchema, type MessengerAttachment, type MessengerEvent, type MessengerMessage } from './wire.ts';

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
