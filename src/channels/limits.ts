import type { Channel } from './contract.ts';
import type { Media } from '../domain/content.ts';

/** What a message has too much of for its channel, under the name of its field; null when it fits. */
export function overLimit(
  channel: Channel,
  text: string,
  medias: Pick<Media, 'type'>[],
): { field: string; problem: string } | null {
  const { maxTextLength, maxMedias, maxSegments } = channel.limits;
  const segments = channel.segments(text)?.count ?? 0;
  if (text.length > maxTextLength)
    return { field: 'text', problem: `${channel.label} accepts at most ${maxTextLength} characters` };
  if (maxSegments !== null && segments > maxSegments) {
    return { field: 'text', problem: `has ${segments} SMS segments; the provider accepts at most ${maxSegments}` };
  }
  if (medias.length > maxMedias)
    return { field: 'medias', problem: `${channel.label} accepts at most ${maxMedias} medias` };
  return channel.refuses?.(text, medias) ?? null;
}
