import { z } from 'zod';
import type { SendOutcome } from '../../domain/conversation/delivery/sends.ts';
import { SECOND } from '../../domain/time.ts';
import type { ChannelAccount, ChannelIo } from '../contract.ts';
import { parseJson } from '../encoding.ts';
import {
  callProvider,
  outcomeOf,
  type AnswerReader,
  type Fault,
  type NoAnswer,
  type ProviderAnswer,
} from '../provider-http.ts';

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

/**
 * Too many calls, for the app, the page, the number, or this pair of numbers; or closed for a while. Their status is 400 as often as not
 * (Graph API "Rate limits", Cloud API "Error codes").
 */
const LIMITS = new Set(['4', '17', '32', '341', '613', '1200', '130429', '131016', '131056', '131057', '133004']);
const isLimit = (code: string): boolean => LIMITS.has(code) || /^800(0\d|1[0-4])$/.test(code);
/** After a limit a second is no wait. */
const LIMIT_WAIT_MS = 10 * SECOND;

/** "Something went wrong": after it was accepted, for all that we know. */
const UNSURE = new Set(['1', '2', '131000']);

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
  return judged(outcomeOf(call, { accepted, fault }, account), call);
}

/** Meta's codes say more than its statuses. A fault of its own may follow an acceptance, and there is no key to make a repeat harmless. */
function judged(outcome: SendOutcome, call: ProviderAnswer | NoAnswer): SendOutcome {
  if (outcome.kind !== 'rejected' && outcome.kind !== 'retry') return outcome;
  const { kind, code, text } = outcome;
  const [main = ''] = code.split('.');
  if (isLimit(main)) return { kind: 'retry', code, text, retryAfterMs: LIMIT_WAIT_MS };
  const isFault = call.kind === 'answer' && call.status >= 500;
  return isFault || (UNSURE.has(main) && kind === 'rejected') ? { kind: 'unknown', code, text } : outcome;
}
