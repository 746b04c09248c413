import type { Address } from '../addresses.ts';
import type { Micros } from '../time.ts';
import type { InboundItem } from './commands.ts';

/** What a contact wants, as of a time: the newest word counts. */
export interface Consent {
  optOut: boolean;
  at: Micros;
}

/** What a conversation has last heard of a contact's consent. */
export interface KnownConsent {
  at: Micros;
  /** What the AddressObject and the contact's other conversations have yet to be told; null once they have been. */
  unpublished: Consent | null;
}

const OUT = new Set(['STOP', 'UNSUBSCRIBE', 'CANCEL', 'END', 'QUIT']);
const IN = new Set(['START', 'SUBSCRIBE']);

/**
 * What a message says of the contact's consent; null for nothing. In a group nobody speaks for the others, and what was chosen from
 * our own buttons ("Cancel") is no word of the contact's.
 */
export function consentIn({ senderId, text, optOut, medias, isNotice }: Said, peer: Address): boolean | null {
  // In the web chat, which its visitor has open, such a word is one of the dialogue.
  if (senderId !== peer.target || isNotice || peer.type === 'chat') return null;
  const isChosen = medias.some(({ type }) => type === 'postback');
  return optOut ?? (isChosen ? null : optOutBy(text));
}

type Said = Pick<Extract<InboundItem, { kind: 'message' }>, 'senderId' | 'text' | 'optOut' | 'medias' | 'isNotice'>;

/**
 * Whether a text opts out (true) or in again (false); null for every other text. The word must stand alone, in any case
 * and with any full stop after it: "STOP 12345" is no opt-out (spec section 9; medic/cht-core issue 476).
 */
function optOutBy(text: string): boolean | null {
  const word = text
    .trim()
    .replace(/[.!]+$/, '')
    .toUpperCase();
  if (OUT.has(word)) return true;
  return IN.has(word) ? false : null;
}
