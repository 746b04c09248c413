import { storedIn, type Media } from '../domain/content.ts';
import type { Message } from '../domain/conversation/state.ts';

/**
 * The URL at which a client reads a file of a message. Both dialects use the `/v1.0` path. A file stored elsewhere keeps its own URL, and so
 * does one from the first release, which wrote our URL into the message.
 */
export function mediaUrl({ conversationId, id }: Message, { origin, url, providerRef }: Media, index: number): string {
  if (origin === undefined) return url;
  const upload = storedIn(providerRef);
  return upload === null
    ? `${origin}/v1.0/conversations/${conversationId}/messages/${id}/medias/${index}`
    : uploadUrl(origin, upload);
}

/** The URL at which a client reads its upload. */
export const uploadUrl = (origin: string, id: string): string => `${origin}/v1.0/medias/${id}`;
