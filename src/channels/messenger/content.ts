import { media, type Content, type Media } from '../../domain/content.ts';
import { webUrl } from '../encoding.ts';
import type { MessengerAttachment, MessengerEvent, MessengerMessage } from './wire.ts';

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
  const medias = [...attachments.map(mediaOf), ...chosen];
  if (text !== '' || medias.length > 0) return { text, medias };
  return { text: '[empty message]', medias: [] };
}

export const postbackContent = ({ title, payload }: NonNullable<MessengerEvent['postback']>): Content => ({
  text: title || payload || '[postback]',
  medias: [media('postback', { details: { data: payload } })],
});

function mediaOf({ type, payload }: MessengerAttachment): Media {
  const { coordinates, url } = payload;
  if (coordinates) {
    return media('location', { details: { latitude: `${coordinates.lat}`, longitude: `${coordinates.long}` } });
  }
  const known = Object.hasOwn(FILE_TYPES, type) ? FILE_TYPES[type] : undefined;
  return known
    ? media(known, { url: webUrl(url) })
    : media('unsupported', { url: webUrl(url), details: { kind: type } });
}
