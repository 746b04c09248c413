import { fromBase64, hmacSha256, toBase64, toHex, utf8 } from '../security/encoding.ts';
import { defined } from '../domain/optional.ts';

export interface SignedWebhook {
  /** The event's constant id. */
  id: string;
  /** When the attempt is made: Unix time in seconds. */
  timestamp: number;
  body: string;
}

/**
 * Standard Webhooks 1.0: the HMAC key is the base64 content after `whsec_`. A secret that a customer chose and that has another form is
 * used as the bytes of its text.
 */
function standardKey(secret: string): Uint8Array<ArrayBuffer> {
  const encoded = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret)?.[1];
  return encoded === undefined || encoded.length % 4 !== 0 ? utf8(secret) : fromBase64(encoded);
}

const standardSignature = async (webhook: SignedWebhook, secret: string): Promise<string> =>
  `v1,${toBase64(await hmacSha256(standardKey(secret), `${webhook.id}.${webhook.timestamp}.${webhook.body}`))}`;

/** VoIPBIN's own signature: HMAC-SHA256 of the raw body, keyed by the secret's text as the customer sees it (spec section 11). */
const voipbinSignature = async (webhook: SignedWebhook, secret: string): Promise<string> =>
  `sha256=${toHex(await hmacSha256(utf8(secret), webhook.body))}`;

/** Voicebip's signature: HMAC-SHA256 of `{timestamp}.{raw body}`, keyed by the secret's text (facts/voicebip.md, "Signature"). */
const voicebipSignature = async ({ timestamp, body }: SignedWebhook, secret: string): Promise<string> =>
  `sha256=${toHex(await hmacSha256(utf8(secret), `${timestamp}.${body}`))}`;

/** The headers of one attempt. `secrets`: the current one first, then the previous one during a rotation. Empty: unsigned. */
export async function signedHeaders(webhook: SignedWebhook, secrets: string[]): Promise<Record<string, string>> {
  const headers = await standardHeaders(webhook, secrets);
  const [current] = secrets;
  return current === undefined
    ? headers
    : { ...headers, 'X-VoIPBIN-Signature': await voipbinSignature(webhook, current) };
}

/** The headers of one attempt for an endpoint of the dialect `voicebip`. */
export async function voicebipHeaders(webhook: SignedWebhook, secrets: string[]): Promise<Record<string, string>> {
  const headers = await standardHeaders(webhook, secrets);
  const [current, previous] = await Promise.all(secrets.map((secret) => voicebipSignature(webhook, secret)));
  return {
    ...headers,
    'X-Voicebip-Timestamp': String(webhook.timestamp),
    'X-Voicebip-Event-ID': webhook.id,
    ...defined({ 'X-Voicebip-Signature': current, 'X-Voicebip-Signature-Previous': previous }),
  };
}

async function standardHeaders(webhook: SignedWebhook, secrets: string[]): Promise<Record<string, string>> {
  const headers: Record<string, string> = { 'webhook-id': webhook.id, 'webhook-timestamp': String(webhook.timestamp) };
  if (secrets.length === 0) return headers;
  const signatures = await Promise.all(secrets.map((secret) => standardSignature(webhook, secret)));
  return { ...headers, 'webhook-signature': signatures.join(' ') };
}
