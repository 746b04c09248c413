import { hmacSha256, sameText, toHex, utf8 } from './encoding.ts';
import { configOf } from '../env.ts';
import { isUuid } from '../domain/ids.ts';

/**
 * What our mails carry so that answers find their conversation: a token in the reply address and in the thread's first reference, and a
 * mark that a bounced mail still contains. Both are signed.
 */
const SIGNATURE_LENGTH = 16;
const TOKEN = /^[0-9a-z]{20,40}$/;

async function signatureOf(env: Env, text: string): Promise<string> {
  const signed = await hmacSha256(utf8(configOf(env).JWT_SECRET), `mail ${text}`);
  return toHex(signed).slice(0, SIGNATURE_LENGTH);
}

/** What a token is for. Somebody who sees a reference in a forwarded mail must not be able to derive the reply address from it. */
export type TokenUse = 'reply' | 'thread';

/** At most 38 lower-case letters and digits: mail servers may change the case of an address, and its local part is limited to 64. */
export async function mailToken(env: Env, customerId: string, conversationId: string, use: TokenUse): Promise<string> {
  const signature = await signatureOf(env, `${use} ${customerId} ${conversationId}`);
  return BigInt(`0x${conversationId.replaceAll('-', '')}${signature}`).toString(36);
}

/** The conversation that a token of this customer names; null for an invalid token. */
export async function readMailToken(
  env: Env,
  customerId: string,
  token: string,
  use: TokenUse,
): Promise<string | null> {
  if (!TOKEN.test(token)) return null;
  const number = Array.from(token).reduce((sum, digit) => sum * 36n + BigInt(Number.parseInt(digit, 36)), 0n);
  const hex = number
    .toString(16)
    .padStart(32 + SIGNATURE_LENGTH, '0')
    .slice(0, 32);
  const conversationId = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return (await sameText(token, await mailToken(env, customerId, conversationId, use))) ? conversationId : null;
}

export interface MailMark {
  conversationId: string;
  deliveryId: string;
}

export async function writeMailMark(env: Env, { conversationId, deliveryId }: MailMark): Promise<string> {
  return `${conversationId}.${deliveryId}.${await signatureOf(env, `mark ${conversationId} ${deliveryId}`)}`;
}

/** The delivery that a bounced mail belongs to; null for an invalid mark. */
export async function readMailMark(env: Env, text: string): Promise<MailMark | null> {
  const [conversationId = '', deliveryId = ''] = text.split('.');
  const mark = { conversationId, deliveryId };
  const isOurs = isUuid(conversationId) && isUuid(deliveryId) && (await sameText(text, await writeMailMark(env, mark)));
  return isOurs ? mark : null;
}
