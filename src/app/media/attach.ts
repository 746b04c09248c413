import { media, storedRef, type Media } from '../../domain/content.ts';
import type { Refusal } from '../../domain/errors.ts';
import { isUuid } from '../../domain/ids.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { findFile } from '../../storage/medias.ts';

export type WantedMedia = Pick<Media, 'type' | 'url' | 'filename'>;

/** A media of a message, and its size in bytes where we know it, because the file is stored here. */
export interface AttachedMedia {
  media: Media;
  size: number | null;
}

/**
 * What a sender attaches. A file that was uploaded here is named by its id from now on: a link to it would expire within a day.
 * Refused for an upload that does not exist. `publicUrl`: where uploads are shown; null where nothing was uploaded.
 */
export async function attach(
  env: Env,
  customerId: string,
  publicUrl: string | null,
  medias: WantedMedia[],
): Promise<Result<AttachedMedia[], Refusal>> {
  const attached = await Promise.all(medias.map((wanted) => attachOne(env, customerId, publicUrl, wanted)));
  const missing = attached.indexOf(null);
  if (missing >= 0)
    return err({ code: 'INVALID_FIELD', field: `medias.${missing}.url`, problem: 'is not one of your files' });
  return ok(attached.filter((each) => each !== null));
}

async function attachOne(
  env: Env,
  customerId: string,
  publicUrl: string | null,
  wanted: WantedMedia,
): Promise<AttachedMedia | null> {
  const { type, ...parts } = wanted;
  const id = publicUrl === null ? null : uploadIn(publicUrl, wanted.url);
  if (publicUrl === null || id === null) return { media: media(type, parts), size: null };
  const stored = await findFile(env, customerId, id);
  if (!stored) return null;
  const kept = { origin: publicUrl, filename: parts.filename || stored.filename, providerRef: storedRef(id) };
  return { media: media(stored.type, kept), size: stored.size };
}

/** The id in either of the URLs under which we show an upload, or null. */
function uploadIn(publicUrl: string, text: string): string | null {
  if (!text.startsWith(`${publicUrl}/`)) return null;
  const [, family, first = '', second = ''] = new URL(text).pathname.split('/');
  const id = family === 'medias' ? second : family === 'v1.0' && first === 'medias' ? second : '';
  return isUuid(id) ? id.toLowerCase() : null;
}
