import type { ChannelAccount, HookRequest } from '../../contract.ts';
import { toHex, utf8 } from '../../../security/encoding.ts';
import { hmacMatches, textOf } from '../../encoding.ts';

/**
 * `X-Twilio-Signature`: base64(HMAC-SHA1(auth token, URL + every parameter in the order of its name)). All parameters
 * count, unknown ones too: Twilio adds new ones without notice (twilio.com/docs/messaging/guides/webhook-request).
 */
export async function verify(request: HookRequest, account: ChannelAccount): Promise<boolean> {
  const signature = request.headers.get('x-twilio-signature') ?? '';
  const params = await signedParams(request);
  if (params === null) return false;
  for (const url of spellings(request.url)) {
    if (await hmacMatches('SHA-1', account.token, utf8(url + params), signature)) return true;
  }
  return false;
}

/**
 * A body that is no form is signed by its hash in the (signed) query, and no parameters then. Null when the hash is another
 * body's; it is public, so comparing it takes no care about time.
 */
async function signedParams(request: HookRequest): Promise<string | null> {
  const hash = /[?&]bodySHA256=([^&#]*)/.exec(request.url)?.[1];
  if (hash === undefined) return formText(new URLSearchParams(textOf(request.body)));
  return toHex(await crypto.subtle.digest('SHA-256', request.body)) === hash.toLowerCase() ? '' : null;
}

/** A repeated parameter contributes its distinct values, sorted, each with the name before it. */
function formText(form: URLSearchParams): string {
  const names = [...new Set(form.keys())].toSorted();
  return names.flatMap((name) => [...new Set(form.getAll(name))].toSorted().map((value) => name + value)).join('');
}

/** Twilio's own libraries also try the URL without a port and with the scheme's default port. The text is not normalised. */
function spellings(url: string): string[] {
  const parts = /^(https?):\/\/([^/?#]*?)(?::\d+)?([/?#].*)?$/i.exec(url);
  if (!parts) return [url];
  const [, scheme = '', host = '', rest = ''] = parts;
  const port = scheme.toLowerCase() === 'https' ? 443 : 80;
  return [...new Set([url, `${scheme}://${host}${rest}`, `${scheme}://${host}:${port}${rest}`])];
}
