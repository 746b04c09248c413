import { parseRetryAfter } from './schedule.ts';
import { SECOND, type Millis } from '../domain/time.ts';

/** Seed 000: "check endpoint returns 200 OK within 5 seconds". */
export const WEBHOOK_TIMEOUT_MS = 5 * SECOND;

export interface Attempt {
  url: URL;
  method: string;
  headers: Record<string, string>;
  body: string;
}

/** How one attempt ended. `status` is null if there was no response. `error` is our own text; a receiver's body is never stored. */
export interface AttemptResult {
  delivered: boolean;
  status: number | null;
  retryAfterMs: Millis | null;
  timeMs: Millis;
  error: string;
}

/** Makes one attempt. Never throws. A redirect is a failure, because the guard has not checked its target. */
export async function postWebhook(attempt: Attempt, fetcher: typeof fetch): Promise<AttemptResult> {
  const started = Date.now();
  try {
    const response = await fetcher(attempt.url, {
      method: attempt.method,
      headers: { 'content-type': 'application/json', 'user-agent': 'Parley-Webhooks/1', ...attempt.headers },
      ...(attempt.method === 'GET' ? {} : { body: attempt.body }),
      redirect: 'manual',
      signal: AbortSignal.timeout(WEBHOOK_TIMEOUT_MS),
    });
    await response.body?.cancel();
    return answered(response, Date.now() - started);
  } catch (error) {
    const isTimeout = error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError');
    return {
      delivered: false,
      status: null,
      retryAfterMs: null,
      timeMs: Date.now() - started,
      error: isTimeout ? 'TIMEOUT' : 'NO_ANSWER',
    };
  }
}

function answered(response: Response, timeMs: Millis): AttemptResult {
  const { status } = response;
  const delivered = status >= 200 && status < 300;
  const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), Date.now());
  return { delivered, status, retryAfterMs, timeMs, error: delivered ? '' : `HTTP_${status}` };
}
