import type { ChannelAccount, HookRequest } from '../contract.ts';
import { providerText } from '../credentials.ts';
import { hmacMatches } from '../encoding.ts';
import { sameText, toBase64 } from '../../security/encoding.ts';

/** `X-Hub-Signature-256: sha256=<hex HMAC-SHA256(app secret, raw body)>`, the same for WhatsApp and Messenger. */
export function verify(request: HookRequest, account: ChannelAccount): Promise<boolean> {
  const header = request.headers.get('x-hub-signature-256') ?? '';
  const hex = /^sha256=([0-9a-f]{64})$/.exec(header)?.[1];
  return hex === undefined
    ? Promise.resolve(false)
    : hmacMatches('SHA-256', account.secret, request.body, base64Of(hex));
}

const base64Of = (hex: string): string =>
  toBase64(Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)));

/** Meta asks once, when the webhook is set up: the bare challenge back, to who knows the account's verify token. */
export async function challenge(request: HookRequest, account: ChannelAccount): Promise<string | null> {
  const query = new URL(request.url).searchParams;
  const expected = providerText(account, 'verify_token');
  const isOurs = expected !== '' && (await sameText(query.get('hub.verify_token') ?? '', expected));
  return isOurs && query.get('hub.mode') === 'subscribe' ? query.get('hub.challenge') : null;
}
