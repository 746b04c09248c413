import type { Media } from '../../../domain/content.ts';
import type { SendOutcome } from '../../../domain/conversation/delivery/sends.ts';
import type { ChannelAccount, ChannelIo, Outbound } from '../../contract.ts';
import { providerText } from '../../credentials.ts';
import { basicAuth, parseJson, webUrl } from '../../encoding.ts';
import { callProvider, fetchFile, outcomeOf, type AnswerReader, type Fault } from '../../provider-http.ts';
import { faultSchema, sentSchema } from './wire.ts';

/** api.twilio.com sends a reader on to its file store, and that one sometimes on to the next. */
const MAX_HOPS = 5;

export function render(outbound: Outbound): URLSearchParams {
  const form = new URLSearchParams({ To: outbound.to, From: outbound.from.target });
  if (outbound.text !== '') form.set('Body', outbound.text);
  for (const { url } of outbound.medias) form.append('MediaUrl', url);
  form.set('StatusCallback', outbound.statusCallbackUrl);
  return form;
}

export async function send(outbound: Outbound, account: ChannelAccount, io: ChannelIo): Promise<SendOutcome> {
  const sid = encodeURIComponent(providerText(account, 'account_sid'));
  const call = await callProvider(io, `${io.bases.twilio}/2010-04-01/Accounts/${sid}/Messages.json`, {
    method: 'POST',
    headers: { authorization: authorization(account), 'content-type': 'application/x-www-form-urlencoded' },
    body: render(outbound).toString(),
  });
  return outcomeOf(call, reader, account);
}

/**
 * Only the first request, which goes to Twilio itself or nowhere, carries the credentials: redirects lead to other hosts.
 * Whoever knows the auth token can sign any MediaUrl, and the account's owner does.
 */
export async function fetchMedia(media: Media, account: ChannelAccount, io: ChannelIo): Promise<Response> {
  let url = webUrl(media.providerRef);
  if (!isTwilio(url, io)) return new Response(null, { status: 404 });
  let headers: Record<string, string> = { authorization: authorization(account) };
  for (let hop = 0; hop < MAX_HOPS && url !== ''; hop++) {
    const response = await fetchFile(io, url, headers);
    const location = response.headers.get('location');
    if (response.status < 300 || response.status >= 400 || location === null) return response;
    await response.body?.cancel();
    const next = URL.canParse(location, url) ? webUrl(new URL(location, url).href) : '';
    url = io.mayRead(next) ? next : '';
    headers = {};
  }
  return new Response(null, { status: 502 });
}

function isTwilio(url: string, io: ChannelIo): boolean {
  if (url === '') return false;
  const { origin, protocol, hostname } = new URL(url);
  return origin === new URL(io.bases.twilio).origin || (protocol === 'https:' && hostname.endsWith('.twilio.com'));
}

const authorization = (account: ChannelAccount): string =>
  basicAuth(providerText(account, 'account_sid'), account.token);

const reader: AnswerReader = {
  accepted: ({ text }) => ({ kind: 'accepted', providerId: sentSchema.safeParse(parseJson(text)).data?.sid ?? '' }),
  fault,
};

/** `{code, message, more_info, status}`. */
function fault(body: string): Fault | null {
  const { data } = faultSchema.safeParse(parseJson(body));
  return data ? { code: `${data.code}`, text: data.message } : null;
}
