import { fromBase64, toBase64, utf8 } from './encoding.ts';

const importKey = (keyBase64: string): Promise<CryptoKey> =>
  crypto.subtle.importKey('raw', fromBase64(keyBase64), 'AES-GCM', false, ['encrypt', 'decrypt']);

/** AES-256-GCM as `v1.<iv>.<ciphertext>` in base64. An empty text stays empty. */
export async function seal(text: string, keyBase64: string): Promise<string> {
  if (text === '') return '';
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, await importKey(keyBase64), utf8(text));
  return `v1.${toBase64(iv)}.${toBase64(sealed)}`;
}

/** @throws when the text was sealed with another key: the deployment lost its ENCRYPTION_KEY. */
export async function unseal(sealed: string, keyBase64: string): Promise<string> {
  if (sealed === '') return '';
  const [, iv = '', body = ''] = sealed.split('.');
  const key = await importKey(keyBase64);
  const text = await crypto.subtle.decrypt({ name: 'AES-GCM', iv: fromBase64(iv) }, key, fromBase64(body));
  return new TextDecoder().decode(text);
}
