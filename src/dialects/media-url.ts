import { storedIn, type Media } from '../domain/content.ts';
import type { Message } from '../domain/conversation/state.ts';

/**
 * Where a client reads a file of a message: the path is VoIPBIN's, and the one that Voicebip's clients get too. A file that is not
 * ours has its own URL; so has one that an older version stored, which wrote ours into the message.
 */
export function mediaUrl({ conversationId, id }: Message, { origin, url, providerRef }: Media, index: number): string {
  if (origin === undefined) return url;
  const upload = storedIn(providerRef);
  return upload === null
    ? `${origin}/v1.0/conversations/${conversationId}/messages/${id}/medias/${index}`
    : uploadUrl(origin, upload);
}

/** Where a client reads what it uploaded. */
export const uploadUrl = (origin: string, id: string): string => `${origin}/v1.0/medias/${id}`;
