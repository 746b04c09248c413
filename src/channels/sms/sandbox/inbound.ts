import { media } from '../../../domain/content.ts';
import { err, ok, type Result } from '../../../domain/result.ts';
import type { Millis } from '../../../domain/time.ts';
import type { ChannelAccount, HookContent, HookInbound, HookRequest } from '../../contract.ts';
import { parseJson, textOf, webUrl } from '../../encoding.ts';
import { EMPTY_MESSAGE, telAddress } from '../common.ts';
import { inboundSchema } from './wire.ts';

/** The hook is closed: a sandbox has no secret, so its messages come by the API alone, under the API's own credentials. */
export const verify = (): Promise<boolean> => Promise.resolve(false);

export function parse(request: HookRequest, _account: ChannelAccount, now: Millis): Result<HookContent, string> {
  const { data } = inboundSchema.safeParse(parseJson(textOf(request.body)));
  if (!data) return err('the body is not a sandbox message');
  const peer = telAddress(data.from);
  const said = {
    dedupeKey: `sandbox:${data.id}`,
    text: data.text || (data.medias.length === 0 ? EMPTY_MESSAGE : ''),
    medias: data.medias.map(({ type, url }) => media(type, { url: webUrl(url) })),
  };
  const item: HookInbound['item'] = data.echo
    ? { kind: 'echo', ...said, providerId: data.id }
    : { kind: 'message', ...said, senderId: peer.target, senderName: '', replyToken: null };
  return ok({ inbound: [{ peer, dialogId: peer.target, occurredAt: now, item }], receipts: [] });
}
