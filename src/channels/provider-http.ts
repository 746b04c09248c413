import type { SendOutcome } from '../domain/conversation/delivery/sends.ts';
import type { Millis } from '../domain/time.ts';
import type { ChannelAccount, ChannelIo } from './contract.ts';

export interface ProviderAnswer {
  kind: 'answer';
  status: number;
  headers: Headers;
  /** The body's beginning, as far as it could be read. */
  text: string;
}

export interface NoAnswer {
  kind: 'no-answer';
  /** True when the connection was certainly never made, so that nothing can have been accepted. */
  refused: boolean;
  code: 'UNREACHABLE' | 'TIMEOUT' | 'CONNECTION_LOST';
}

/** What a provider says about its refusal. */
export interface Fault {
  code: string;
  text: string;
}

/** How one adapter reads its provider's answers. */
export interface AnswerReader {
  accepted(answer: ProviderAnswer): SendOutcome;
  /** From the body of a refusal; null when it is not in the provider's documented form. */
  fault(body: string): Fault | null;
}

/** Enough for the answer to a send; a list says how much more it may take. */
const MAX_ANSWER_BYTES = 64 * 1024;
const MAX_CODE_LENGTH = 100;
const MAX_FAULT_LENGTH = 500;
/** Statuses by which a gateway, Cloudflare's own included, says that it passed the request on and heard nothing back. */
const GATEWAY_SILENCE = new Set([504, 520, 522, 524]);
/** Node's names. workerd says "Network connection lost." for a refused and for a broken connection alike, and cannot be sure. */
const NEVER_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** One request to a provider's API. Redirects are not followed: they would carry the account's credentials elsewhere. */
export async function callProvider(
  io: ChannelIo,
  url: string,
  init: RequestInit,
  maxBytes = MAX_ANSWER_BYTES,
): Promise<ProviderAnswer | NoAnswer> {
  try {
    const signal = AbortSignal.timeout(io.timeoutMs);
    const response = await io.fetch(url, { ...init, redirect: 'manual', signal });
    return {
      kind: 'answer',
      status: response.status,
      headers: response.headers,
      text: await readStart(response, maxBytes),
    };
  } catch (error) {
    return noAnswer(error);
  }
}

/** The same judgement for every provider; a 2xx is read by its adapter. The account's secrets are blotted out if they are echoed. */
export function outcomeOf(call: ProviderAnswer | NoAnswer, reader: AnswerReader, account: ChannelAccount): SendOutcome {
  if (call.kind === 'no-answer') return unanswered(call);
  if (isAccepted(call)) return reader.accepted(call);
  const fault = tidy(reader.fault(call.text), call.status, [account.secret, account.token]);
  if (GATEWAY_SILENCE.has(call.status)) return { kind: 'unknown', ...fault };
  if (call.status === 429 || call.status >= 500) {
    return { kind: 'retry', ...fault, retryAfterMs: retryAfterMs(call.headers) };
  }
  return { kind: 'rejected', ...fault };
}

const isAccepted = (answer: ProviderAnswer): boolean => answer.status >= 200 && answer.status < 300;

/**
 * A GET of a file. The time limit ends with the headers, because a long video takes longer than any API call;
 * a provider that cannot be reached reads as its gateway would say it.
 */
export async function fetchFile(io: ChannelIo, url: string, headers: Record<string, string>): Promise<Response> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), io.timeoutMs);
  try {
    return await io.fetch(url, { headers, redirect: 'manual', signal: abort.signal });
  } catch {
    return new Response(null, { status: abort.signal.aborted ? 504 : 502 });
  } finally {
    clearTimeout(timer);
  }
}

/** An accepted message stays accepted when its answer breaks off, so this never fails: it returns what came. */
async function readStart(response: Response, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder();
  const reader = response.body?.getReader();
  let text = '';
  let left = maxBytes;
  try {
    while (reader && left > 0) {
      const read: { value?: unknown } = await reader.read();
      if (!(read.value instanceof Uint8Array)) return text;
      text += decoder.decode(read.value.subarray(0, left), { stream: true });
      left -= read.value.byteLength;
    }
    await reader?.cancel();
    return text;
  } catch {
    return text;
  }
}

function noAnswer(error: unknown): NoAnswer {
  const name = error instanceof Error || error instanceof DOMException ? error.name : '';
  if (name === 'TimeoutError' || name === 'AbortError') return { kind: 'no-answer', refused: false, code: 'TIMEOUT' };
  const refused = neverConnected(error);
  return { kind: 'no-answer', refused, code: refused ? 'UNREACHABLE' : 'CONNECTION_LOST' };
}

function neverConnected(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? error.code : undefined;
  return (typeof code === 'string' && NEVER_CONNECTED.has(code)) || neverConnected(error.cause);
}

function unanswered({ refused, code }: NoAnswer): SendOutcome {
  if (refused) return { kind: 'retry', code, text: 'the provider cannot be reached', retryAfterMs: null };
  return { kind: 'unknown', code, text: 'the provider gave no answer' };
}

function tidy(fault: Fault | null, status: number, secrets: readonly string[]): Fault {
  const blot = (text: string): string =>
    secrets.filter((secret) => secret !== '').reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
  return {
    code: blot(fault?.code ?? '').slice(0, MAX_CODE_LENGTH) || `HTTP_${status}`,
    text: blot(fault?.text ?? '').slice(0, MAX_FAULT_LENGTH) || `the provider answered ${status}`,
  };
}

/** RFC 9110 10.2.3: seconds, or a date, which is measured against the answer's own `Date`: adapters have no clock. */
function retryAfterMs(headers: Headers): Millis | null {
  const value = headers.get('retry-after')?.trim() ?? '';
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const wait = Date.parse(value) - Date.parse(headers.get('date') ?? '');
  return Number.isNaN(wait) ? null : Math.max(0, wait);
}
