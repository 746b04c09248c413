import { hmacSha256, sameText, toHex, utf8 } from './encoding.ts';
import { configOf } from '../env.ts';
import { DAY, SECOND, type Millis } from '../domain/time.ts';

/** Long enough for providers that fetch late, after retries. */
const LINK_LIFE_MS = DAY;

interface LinkedMedia {
  customerId: string;
  id: string;
}

/** A signed link that opens one file without credentials, for a day: providers have no credentials for Parley. */
export async function mediaLink(env: Env, publicUrl: string, media: LinkedMedia, now: Millis): Promise<string> {
  const expires = Math.ceil((now + LINK_LIFE_MS) / SECOND);
  const query = new URLSearchParams({ expires: String(expires), signature: await signatureOf(env, media, expires) });
  return `${publicUrl}/medias/${media.customerId}/${media.id}?${query.toString()}`;
}

/** Whether the link is valid and has not expired. */
export async function isValidLink(
  env: Env,
  media: LinkedMedia,
  { expires, signature }: { expires: string; signature: string },
  now: Millis,
): Promise<boolean> {
  if (!/^\d{1,12}$/.test(expires) || Number(expires) * SECOND < now) return false;
  return sameText(signature, await signatureOf(env, media, Number(expires)));
}

const signatureOf = async (env: Env, { customerId, id }: LinkedMedia, expires: number): Promise<string> =>
  toHex(await hmacSha256(utf8(configOf(env).JWT_SECRET), `media ${customerId} ${id} ${expires}`));
