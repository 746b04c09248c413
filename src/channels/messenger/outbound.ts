import type { Media } from '../../domain/content.ts';
import type { SendOutcome } from '../../domain/conversation/delivery/sends.ts';
import type { ChannelAccount, ChannelIo, Outbound } from '../contract.ts';
import { providerText } from '../credentials.ts';
import { webUrl } from '../encoding.ts';
import { postMessage } from '../meta/graph.ts';
import { writeMark } from '../meta/mark.ts';
import { fetchFile } from '../provider-http.ts';
import { sentSchema } from './wire.ts';

/** `message.text` (Messenger Platform, "Send messages"). */
export const MAX_TEXT = 2000;

/** One message is a text or a file: two would be two messages, of which one may fail. */
export const refuses = (text: string, medias: Pick<Media, 'type'>[]): { field: string; problem: string } | null =>
  text !== '' && medias.length > 0 ? { field: 'text', problem: 'cannot go with a file: send it on its own' } : null;

export function render(outbound: Outbound): Record<string, unknown> {
  const { to, asHuman } = outbound;
  return {
    recipient: { id: to },
    ...(asHuman ? { messaging_type: 'MESSAGE_TAG', tag: 'HUMAN_AGENT' } : { messaging_type: 'RESPONSE' }),
    // The metadata comes back with the message's echo: which delivery it is.
    message: { ...contentOf(outbound), metadata: writeMark(outbound) },
  };
}

function contentOf({ text, medias: [file] }: Outbound): Record<string, unknown> {
  if (!file) return { text };
  const kind = ['image', 'video', 'audio'].find((known) => file.type.startsWith(`${known}/`)) ?? 'file';
  return { attachment: { type: kind, payload: { url: file.url } } };
}

export const send = (outbound: Outbound, account: ChannelAccount, io: ChannelIo): Promise<SendOutcome> =>
  postMessage(io, account, providerText(account, 'page_id'), render(outbound), idOf);

const idOf = (answer: unknown): string | undefined => sentSchema.safeParse(answer).data?.message_id;

/** Messenger's file URLs are public and need no credentials; they get none. */
export async function fetchMedia(media: Media, _account: ChannelAccount, io: ChannelIo): Promise<Response> {
  const url = webUrl(media.providerRef);
  return url === '' ? new Response(null, { status: 404 }) : fetchFile(io, url, {});
}
