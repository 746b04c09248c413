import type { TalkSend } from './commands.ts';

const FNV_PRIME = 0x01000193;
const FNV_OFFSET = 0x811c9dc5;

/**
 * What tells a repeated send from another one under the same client_id, also after the message was edited or deleted: FNV-1a in 32 bits.
 * It is compared between two messages that one client gave one name, so it need not withstand anybody.
 */
export function fingerprintOf({ text, medias, parentId }: TalkSend): number {
  let hash = FNV_OFFSET;
  for (const character of JSON.stringify([text, medias, parentId])) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), FNV_PRIME);
  }
  return hash >>> 0;
}
