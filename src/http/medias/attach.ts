import type { AppContext } from '../context.ts';
import { invalidField } from '../errors.ts';
import { publicUrlOf } from '../origin.ts';
import { media, storedRef, type Media } from '../../domain/content.ts';
import { isUuid } from '../../domain/ids.ts';
import { findFile } from '../../storage/medias.ts';

type Wanted = Pick<Media, 'type' | 'url' | 'filename'>;

/** A media of a message, and its size where we know it: the file is ours. */
export interface Attached {
  media: Media;
  size: number | null;
}

/**
 * What a sender wants to attach. A file that was uploaded here is named by its id from now on: a link to it would be over in a day.
 * @throws 400 for one that is not there.
 */
export const attach = (c: AppContext, medias: Wanted[]): Promise<Attached[]> =>
  Promise.all(medias.map((wanted, index) => attachOne(c, wanted, index)));

async function attachOne(c: AppContext, wanted: Wanted, index: number): Promise<Attached> {
  const { type, ...parts } = wanted;
  const id = uploadIn(publicUrlOf(c), wanted.url);
  if (id === null) return { media: media(type, parts), size: null };
  const stored = await findFile(c.env, c.get('principal').customerId, id);
  if (!stored) throw invalidField(`medias.${index}.url`, 'is not one of your files');
  const kept = { origin: publicUrlOf(c), filename: parts.filename || stored.filename, providerRef: storedRef(id) };
  return { media: media(stored.type, kept), size: stored.size };
}

/** The id in either of the URLs under which we show an upload; null for what is none. */
function uploadIn(publicUrl: string, text: string): string | null {
  if (!text.startsWith(`${publicUrl}/`)) return null;
  const [, family, first = '', second = ''] = new URL(text).pathname.split('/');
  const id = family === 'medias' ? second : family === 'v1.0' && first === 'medias' ? second : '';
  return isUuid(id) ? id.toLowerCase() : null;
}
