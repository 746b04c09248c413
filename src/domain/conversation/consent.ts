import type { Address } from '../addresses.ts';
import type { Micros } from '../time.ts';

/** What a contact wants, as of a time: the newest word counts. */
export interface Consent {
  optOut: boolean;
  at: Micros;
}

const OUT = new Set(['STOP', 'UNSUBSCRIBE', 'CANCEL', 'END', 'QUIT']);
const IN = new Set(['START', 'SUBSCRIBE']);

/** What a message says of the contact's consent; null for nothing. In a group nobody speaks for the others. */
export const consentIn = (
  { senderId, text, optOut }: { senderId: string; text: string; optOut?: boolean },
  peer: Address,
): boolean | null => (senderId === peer.target ? (optOut ?? optOutBy(text)) : null);

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
