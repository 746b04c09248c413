import { toBase64, utf8 } from '../security/encoding.ts';

/** Never throws: bytes that are no UTF-8 become U+FFFD, and the parsers refuse what they then cannot read. */
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** The JSON value, or undefined: an answer that is no JSON is an expected thing (a proxy's HTML page). */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * The bytes, or null. `atob` forgives white space, missing padding and stray last bits; a signature has one spelling only,
 * so that a log or a cache of seen signatures cannot be fooled by a second one.
 */
export function fromBase64(text: string): Uint8Array | null {
  try {
    const binary = atob(text);
    return btoa(binary) === text ? Uint8Array.from(binary, (char) => char.charCodeAt(0)) : null;
  } catch {
    return null;
  }
}

/** RFC 7617, with UTF-8 as the character set. */
export const basicAuth = (user: string, password: string): string => `Basic ${toBase64(utf8(`${user}:${password}`))}`;

/** An empty secret or signature never matches: verification fails closed. `subtle.verify` compares in constant time. */
export async function hmacMatches(
  hash: 'SHA-1' | 'SHA-256',
  secret: string,
  data: Uint8Array,
  signature: string,
): Promise<boolean> {
  const expected = fromBase64(signature);
  if (!expected || expected.length === 0 || secret === '') return false;
  const key = await crypto.subtle.importKey('raw', utf8(secret), { name: 'HMAC', hash }, false, ['verify']);
  return crypto.subtle.verify('HMAC', key, expected, data);
}

/** The URL when it is http(s), else empty: contacts can choose some of these URLs, and the console makes links of them. */
export function webUrl(text: string): string {
  return /^https?:\/\//i.test(text) && URL.canParse(text) ? text : '';
}
