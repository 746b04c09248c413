import type { Media } from '../../domain/content.ts';
import type { SendOutcome } from '../../domain/conversation/delivery/sends.ts';
import type { ChannelAccount, ChannelIo, Outbound } from '../contract.ts';
import { parseJson } from '../encoding.ts';
import {
  callProvider,
  fetchFile,
  outcomeOf,
  type AnswerReader,
  type Fault,
  type NoAnswer,
  type ProviderAnswer,
} from '../provider-http.ts';
import { faultSchema, sentSchema, type LineOutgoing } from './wire.ts';

type Call = ProviderAnswer | NoAnswer;

/** Messages in one request, and UTF-16 units in one text message (LINE's API reference, "Message objects"). */
export const MAX_MESSAGES = 5;
export const MAX_TEXT = 5000;
/** LINE demands the length of an audio file, which we do not know; it is only shown beside the play button. */
const AUDIO_DURATION_MS = 60_000;

export function render(outbound: Pick<Outbound, 'text' | 'medias'>): LineOutgoing[] {
  const texts: LineOutgoing[] = outbound.text === '' ? [] : [{ type: 'text', text: outbound.text }];
  return [...texts, ...outbound.medias.map(renderMedia)];
}

/**
 * Answers with the reply token where there is one, because that costs nothing; pushes otherwise. A token that is spent makes the next
 * attempt a push: one attempt is one request, so that a takeover knows when nothing can follow any more.
 */
export async function send(outbound: Outbound, account: ChannelAccount, io: ChannelIo): Promise<SendOutcome> {
  const messages = render(outbound);
  if (outbound.replyToken !== null) {
    const call = await reply(outbound.replyToken, messages, account, io);
    return isSpentToken(call) ? SPENT : replyOutcome(call, account);
  }
  return pushOutcome(await push(outbound, messages, account, io), account);
}

export const fetchMedia = (media: Media, account: ChannelAccount, io: ChannelIo): Promise<Response> =>
  fetchFile(io, `${io.bases.lineData}/v2/bot/message/${encodeURIComponent(media.providerRef)}/content`, {
    authorization: `Bearer ${account.token}`,
  });

function renderMedia({ type, url }: Media): LineOutgoing {
  if (type.startsWith('image/')) return { type: 'image', originalContentUrl: url, previewImageUrl: url };
  if (type.startsWith('video/')) return { type: 'video', originalContentUrl: url, previewImageUrl: url };
  if (type.startsWith('audio/')) return { type: 'audio', originalContentUrl: url, duration: AUDIO_DURATION_MS };
  return { type: 'text', text: url };
}

/** Without a retry key: LINE refuses it here with a 400. */
const reply = (replyToken: string, messages: LineOutgoing[], account: ChannelAccount, io: ChannelIo): Promise<Call> =>
  post('reply', { replyToken, messages }, {}, account, io);

/** The retry key must be on the first attempt already, or no later one is recognised as a repeat. */
const push = (outbound: Outbound, messages: LineOutgoing[], account: ChannelAccount, io: ChannelIo): Promise<Call> =>
  post('push', { to: outbound.to, messages }, { 'x-line-retry-key': outbound.deliveryId }, account, io);

const post = (
  method: 'reply' | 'push',
  body: object,
  headers: Record<string, string>,
  account: ChannelAccount,
  io: ChannelIo,
): Promise<Call> =>
  callProvider(io, `${io.bases.line}/v2/bot/message/${method}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${account.token}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

const SPENT: SendOutcome = {
  kind: 'retry',
  code: 'REPLY_TOKEN_SPENT',
  text: 'the reply token is spent; the message is pushed instead',
  retryAfterMs: null,
};

const isSpentToken = (call: Call): boolean =>
  call.kind === 'answer' && call.status === 400 && /reply token/i.test(fault(call.text)?.text ?? '');

/** LINE: after a 5xx the message may have been delivered all the same, and a reply has no retry key that would tell. */
function replyOutcome(call: Call, account: ChannelAccount): SendOutcome {
  const outcome = outcomeOf(call, reader, account);
  const uncertain = outcome.kind === 'retry' && call.kind === 'answer' && call.status >= 500;
  return uncertain ? { kind: 'unknown', code: outcome.code, text: outcome.text } : outcome;
}

/** 409: LINE has accepted this retry key before, so our earlier attempt got through. */
function pushOutcome(call: Call, account: ChannelAccount): SendOutcome {
  return call.kind === 'answer' && call.status === 409 ? accepted(call) : outcomeOf(call, reader, account);
}

function accepted(answer: ProviderAnswer): SendOutcome {
  const sent = sentSchema.safeParse(parseJson(answer.text)).data?.sentMessages[0]?.id;
  const { headers } = answer;
  const request = headers.get('x-line-accepted-request-id') ?? headers.get('x-line-request-id');
  return { kind: 'accepted', providerId: sent ?? request ?? '' };
}

/** LINE has no error codes: the status and the message are all there is. */
function fault(body: string): Fault | null {
  const { data } = faultSchema.safeParse(parseJson(body));
  if (!data) return null;
  const details = data.details.map(({ property, message }) => `${property}: ${message}`);
  return { code: '', text: [data.message, ...details].join('; ') };
}

const reader: AnswerReader = { accepted, fault };
