import { media, type Content, type Media } from '../../domain/content.ts';
import { webUrl } from '../encoding.ts';
import { fileSchema, locationSchema, stickerSchema, textSchema, type LineEvent, type LineMessage } from './wire.ts';

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
