import { z } from 'zod';
import type { SendOutcome } from '../../domain/conversation/sends.ts';
import type { ChannelAccount, ChannelIo } from '../contract.ts';
import { parseJson } from '../encoding.ts';
import { callProvider, outcomeOf, type AnswerReader, type Fault } from '../provider-http.ts';

/** The Graph API version that this code was written against (facts/providers.md 1.4, 1.5). */
const GRAPH_VERSION = 'v25.0';

const faultSchema = z.object({
  error: z.object({
    code: z.number(),
    message: z.string().catch(''),
    error_subcode: z.number().optional().catch(undefined),
    error_data: z.object({ details: z.string().catch('') }).catch({ details: '' }),
  }),
});

/** `{error: {message, type, code, error_subcode, error_data: {details}}}`: `code` or `code.subcode`, never the title. */
export function fault(body: string): Fault | null {
  const { data } = faultSchema.safeParse(parseJson(body));
  if (!data) return null;
  const { code, error_subcode: subcode, message, error_data } = data.error;
  return { code: subcode === undefined ? `${code}` : `${code}.${subcode}`, text: error_data.details || message };
}

/** Too many calls, for the app, the number, or this pair of numbers; and faults of Meta's own. Their status is 400 as often as not. */
const TRANSIENT = new Set(['1', '2', '4', '80007', '130429', '131000', '131016', '131056']);

export const graphUrl = (io: ChannelIo, ...parts: string[]): string =>
  [io.bases.meta, GRAPH_VERSION, ...parts.map(encodeURIComponent)].join('/');

export const authorized = (account: ChannelAccount) => ({ authorization: `Bearer ${account.token}` });

/** Sends a message from the page or the number `from`; `idOf` reads the message's id out of the answer. */
export async function postMessage(
  io: ChannelIo,
  account: ChannelAccount,
  from: string,
  message: Record<string, unknown>,
  idOf: (answer: unknown) => string | undefined,
): Promise<SendOutcome> {
  const call = await callProvider(io, graphUrl(io, from, 'messages'), {
    method: 'POST',
    headers: { ...authorized(account), 'content-type': 'application/json' },
    body: JSON.stringify(message),
  });
  const accepted: AnswerReader['accepted'] = ({ text }) => ({
    kind: 'accepted',
    providerId: idOf(parseJson(text)) ?? '',
  });
  return tryLater(outcomeOf(call, { accepted, fault }, account));
}

/** A refusal that Meta means for now only. */
const tryLater = (outcome: SendOutcome): SendOutcome =>
  outcome.kind === 'rejected' && TRANSIENT.has(outcome.code.split('.')[0] ?? '')
    ? { kind: 'retry', code: outcome.code, text: outcome.text, retryAfterMs: null }
    : outcome;
