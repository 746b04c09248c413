import { z } from 'zod';
import type { SendOutcome } from '../../domain/conversation/sends.ts';
import { parseJson } from '../encoding.ts';
import type { Fault } from '../provider-http.ts';

/** The Graph API version that this code was written against (facts/providers.md 1.4, 1.5). */
export const GRAPH_VERSION = 'v25.0';

const faultSchema = z.object({
  error: z.object({
    code: z.number(),
    message: z.string().catch(''),
    error_data: z.object({ details: z.string().catch('') }).catch({ details: '' }),
  }),
});

/** `{error: {message, type, code, error_data: {details}}}`: to be told by code and details, not by titles. */
export function fault(body: string): Fault | null {
  const { data } = faultSchema.safeParse(parseJson(body));
  if (!data) return null;
  const { code, message, error_data } = data.error;
  return { code: String(code), text: error_data.details || message };
}

/** Too many calls, for the app, the number, or this pair of numbers; and faults of Meta's own. Their status is 400 as often as not. */
const TRANSIENT = new Set(['1', '2', '4', '80007', '130429', '131000', '131016', '131056']);

/** A refusal that Meta means for now only. */
export const tryLater = (outcome: SendOutcome): SendOutcome =>
  outcome.kind === 'rejected' && TRANSIENT.has(outcome.code)
    ? { kind: 'retry', code: outcome.code, text: outcome.text, retryAfterMs: null }
    : outcome;
