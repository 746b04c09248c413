import { isUuid, NIL_UUID } from '../../domain/ids.ts';

/** Spec section 9: the same UUID as on `/v1.0`, in base58, with a prefix that says what it identifies. */
const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

export type IdKind = 'conv' | 'agt' | 'msg';

export function writeId(kind: IdKind, uuid: string): string {
  let rest = BigInt(`0x${uuid.replaceAll('-', '')}`);
  let text = '';
  do {
    text = ALPHABET.charAt(Number(rest % 58n)) + text;
    rest /= 58n;
  } while (rest > 0n);
  return `${kind}_${text}`;
}

/** The UUID, or null if the id is of another kind, malformed, not in the canonical form of `writeId`, or the nil UUID. */
export function readId(kind: IdKind, id: string): string | null {
  const text = id.startsWith(`${kind}_`) ? id.slice(kind.length + 1) : '';
  if (!/^[1-9A-HJ-NP-Za-km-z]{1,22}$/.test(text)) return null;
  const value = Array.from(text).reduce((sum, character) => sum * 58n + BigInt(ALPHABET.indexOf(character)), 0n);
  const hex = value.toString(16).padStart(32, '0');
  const uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return isUuid(uuid) && uuid !== NIL_UUID && writeId(kind, uuid) === id ? uuid : null;
}
