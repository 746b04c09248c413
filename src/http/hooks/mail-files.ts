import type { MailFile } from '../../channels/email/files.ts';
import type { ReadMail } from '../../channels/email/read-mail.ts';
import { media, type Media } from '../../domain/content.ts';
import { utf8 } from '../../security/encoding.ts';
import { putCopy, type CopyPlace } from '../../storage/medias.ts';

/** In a media's `providerRef`: its file is in our store, from before the message was. */
const KEPT = 'kept';

/** A mail's files, and its HTML, made safe, as the last of them. */
function filesOf({ files, html }: ReadMail): MailFile[] {
  if (html === null) return files;
  return [...files, { filename: 'message.html', type: 'text/html', content: utf8(html), contentId: '' }];
}

export const mediasOf = (mail: ReadMail): Media[] =>
  filesOf(mail).map(({ type, filename, contentId }) =>
    media(type, { filename, providerRef: KEPT, details: contentId === '' ? {} : { content_id: contentId } }),
  );

/** Stores them in the places of the message that is about to be. A repeat writes the same again. */
export const keepMailFiles =
  (env: Env, mail: ReadMail) =>
  async (place: CopyPlace): Promise<void> => {
    for (const [index, { content, type, filename }] of filesOf(mail).entries())
      await putCopy(env, { ...place, index }, { type, filename }, content);
  };
