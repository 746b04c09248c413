import type { Media } from '../../../domain/content.ts';
import type { SendOutcome } from '../../../domain/conversation/delivery/sends.ts';
import type { ChannelAccount, ChannelIo, Outbound } from '../../contract.ts';
import { parseJson, webUrl } from '../../encoding.ts';
import { callProvider, fetchFile, outcomeOf, type AnswerReader, type Fault } from '../../provider-http.ts';
import { faultSchema, sentSchema } from './wire.ts';

/** The callback URL of this one message, instead of the profile's: it names the delivery. */
export function render(outbound: Outbound): Record<string, unknown> {
  const urls = outbound.medias.map(({ url }) => url);
  return {
    from: outbound.from.target,
    to: outbound.to,
    ...(outbound.text === '' ? {} : { text: outbound.text }),
    ...(urls.length === 0 ? { type: 'SMS' } : { type: 'MMS', media_urls: urls }),
    webhook_url: outbound.statusCallbackUrl,
    use_profile_webhooks: false,
    tags: [outbound.messageId],
  };
}

export async function send(outbound: Outbound, account: ChannelAccount, io: ChannelIo): Promise<SendOutcome> {
  const call = await callProvider(io, `${io.bases.telnyx}/v2/messages`, {
    method: 'POST',
    headers: { authorization: `Bearer ${account.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(render(outbound)),
  });
  return outcomeOf(call, reader, account);
}

/** Telnyx' media URLs are public and need no credentials; they get none. */
export async function fetchMedia(media: Media, _account: ChannelAccount, io: ChannelIo): Promise<Response> {
  const url = webUrl(media.providerRef);
  return url === '' ? new Response(null, { status: 404 }) : fetchFile(io, url, {});
}

const reader: AnswerReader = {
  accepted: ({ text }) => ({ kind: 'accepted', providerId: sentSchema.safeParse(parseJson(text)).data?.data.id ?? '' }),
  fault,
};

/** `{errors: [{code, title, detail}]}`: the first one is what stopped the request. */
function fault(body: string): Fault | null {
  const error = faultSchema.safeParse(parseJson(body)).data?.errors[0];
  return error ? { code: `${error.code}`, text: error.detail || error.title } : null;
}
