import type { SendOutcome } from '../../../domain/conversation/delivery/sends.ts';
import type { ChannelAccount, ChannelIo, Outbound } from '../../contract.ts';
import { parseJson } from '../../encoding.ts';
import { callProvider, outcomeOf, type AnswerReader, type Fault } from '../../provider-http.ts';
import { faultSchema, sentSchema } from './wire.ts';

export const render = (outbound: Outbound, accountId: string): Record<string, unknown> => ({
  account_id: accountId,
  idempotency_key: outbound.deliveryId,
  conversation_id: outbound.conversationId,
  message_id: outbound.messageId,
  from: outbound.from.target,
  to: outbound.to,
  text: outbound.text,
  medias: outbound.medias.map(({ type, url }) => ({ type, url })),
});

export async function send(outbound: Outbound, account: ChannelAccount, io: ChannelIo): Promise<SendOutcome> {
  const call = await callProvider(io, `${io.bases.sandbox}/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(render(outbound, account.id)),
  });
  return outcomeOf(call, reader, account);
}

/** Sandbox medias are URLs that a tester made up: there is no provider to fetch them from. */
export const fetchMedia = (): Promise<Response> => Promise.resolve(new Response(null, { status: 404 }));

const reader: AnswerReader = {
  accepted: ({ text }) => ({ kind: 'accepted', providerId: sentSchema.safeParse(parseJson(text)).data?.id ?? '' }),
  fault,
};

function fault(body: string): Fault | null {
  const { data } = faultSchema.safeParse(parseJson(body));
  return data ? { code: data.code, text: data.message } : null;
}
