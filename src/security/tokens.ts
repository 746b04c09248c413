import { sha256Hex, toBase64 } from './encoding.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** Random letters and digits, about 5.95 bits each, without the bias of a plain modulo. */
function randomText(length: number): string {
  let text = '';
  while (text.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(length))) {
      if (byte < 248 && text.length < length) text += ALPHABET[byte % 62];
    }
  }
  return text;
}

const PREFIX = { voipbin: 'vb_', voicebip: 'pk_live_' } as const;

export type KeyDialect = keyof typeof PREFIX;

/** An access key: `vb_…` or `pk_live_…` and 43 random characters (256 bits). Only its hash is stored. */
export const newAccessKey = (dialect: KeyDialect): string => PREFIX[dialect] + randomText(43);

export const isAccessKey = (credential: string): boolean =>
  Object.values(PREFIX).some((prefix) => credential.startsWith(prefix));

/** The prefix of a key that lists show, so that its owner recognises it (VoIPBIN: 11 characters). */
export const visiblePrefix = (token: string): string => token.slice(0, 11);

export const newPassword = (): string => randomText(20);

export const newTicket = (): string => randomText(43);

/** A webhook secret in the form of Standard Webhooks 1.0: `whsec_` and base64 of 32 random bytes. */
export const newWebhookSecret = (): string => `whsec_${toBase64(crypto.getRandomValues(new Uint8Array(32)))}`;

export const hashToken = sha256Hex;
