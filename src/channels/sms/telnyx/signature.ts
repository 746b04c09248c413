import { MINUTE, SECOND, type Millis } from '../../../domain/time.ts';
import type { ChannelAccount, HookRequest } from '../../contract.ts';
import { utf8 } from '../../../security/encoding.ts';
import { fromBase64 } from '../../encoding.ts';

export const PUBLIC_KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** Older requests are replays (developers.telnyx.com, "Receiving webhooks"). */
const TOLERANCE_MS = 5 * MINUTE;

/** `telnyx-signature-ed25519` over `timestamp|raw body`, with the public key of the whole Telnyx account. */
export async function verify(request: HookRequest, account: ChannelAccount, now: Millis): Promise<boolean> {
  const timestamp = request.headers.get('telnyx-timestamp') ?? '';
  const signature = fromBase64(request.headers.get('telnyx-signature-ed25519') ?? '');
  const publicKey = fromBase64(account.secret);
  if (signature?.length !== SIGNATURE_BYTES || publicKey?.length !== PUBLIC_KEY_BYTES) return false;
  if (!/^\d{1,12}$/.test(timestamp) || Math.abs(now - Number(timestamp) * SECOND) > TOLERANCE_MS) return false;
  const key = await crypto.subtle.importKey('raw', publicKey, { name: 'Ed25519' }, false, ['verify']);
  return crypto.subtle.verify({ name: 'Ed25519' }, key, signature, signedBytes(timestamp, request.body));
}

function signedBytes(timestamp: string, body: Uint8Array): Uint8Array {
  const prefix = utf8(`${timestamp}|`);
  const bytes = new Uint8Array(prefix.length + body.length);
  bytes.set(prefix);
  bytes.set(body, prefix.length);
  return bytes;
}
