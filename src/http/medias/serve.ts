import type { MessageFile } from '../../app/media/message-file.ts';
import type { OpenFile } from '../../storage/medias.ts';

/** A file of somebody else's must never run as a page of ours. */
const HARMLESS = {
  'content-security-policy': "sandbox; default-src 'none'",
  'x-content-type-options': 'nosniff',
};

/** The file, or the range of it that was asked for. */
export function serveFile({ object, size, type, filename }: OpenFile): Response {
  const headers = new Headers({
    ...HARMLESS,
    'content-type': type,
    'content-disposition': dispositionOf(filename),
    'accept-ranges': 'bytes',
    'cache-control': 'private, max-age=3600',
    etag: object.httpEtag,
  });
  const range = rangeOf(object.range, size);
  headers.set('content-length', String(range ? range.length : size));
  if (range) headers.set('content-range', `bytes ${range.offset}-${range.offset + range.length - 1}/${size}`);
  return new Response(object.body, { status: range ? 206 : 200, headers });
}

export function serveMessageFile(found: MessageFile): Response {
  if (found.kind === 'stored') return serveFile(found.file);
  const { response, type } = found;
  return new Response(response.body, {
    headers: {
      'content-type': response.headers.get('content-type') ?? type,
      'content-disposition': 'attachment',
      ...HARMLESS,
    },
  });
}

/** RFC 6266. */
const dispositionOf = (filename: string): string =>
  filename === '' ? 'attachment' : `attachment; filename*=UTF-8''${encodeURIComponent(filename)}`;

interface Part {
  offset?: number;
  length?: number;
  suffix?: number;
}

const EVERYTHING: Part = {};

function rangeOf(range: R2Range | undefined, size: number): { offset: number; length: number } | null {
  if (range === undefined) return null;
  const { offset = 0, length = size - offset, suffix } = { ...EVERYTHING, ...range };
  if (suffix !== undefined) return { offset: Math.max(0, size - suffix), length: Math.min(size, suffix) };
  return offset === 0 && length === size ? null : { offset, length };
}
