import { DAY, HOUR, MINUTE, SECOND, type Millis } from '../domain/time.ts';

/** Spec section 8, the example of Standard Webhooks 1.0: after the first attempt, nine more over three days. */
const DELAYS_MS = [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];

export const MAX_WEBHOOK_ATTEMPTS = DELAYS_MS.length + 1;

/** An endpoint without a success for this long is disabled. */
export const DISABLE_AFTER_MS = 5 * DAY;

const LONGEST_RETRY_AFTER_MS = DAY;

/**
 * The delay after attempt number `attempts` (from 1); null after the last attempt.
 * The receiver's `Retry-After` takes precedence over the schedule, up to a day. `jitter` in 0..1 spreads the delay by 10 % either way.
 */
export function webhookDelay(attempts: number, retryAfterMs: number | null, jitter: number): Millis | null {
  const step = DELAYS_MS[attempts - 1];
  if (step === undefined) return null;
  if (retryAfterMs !== null) return Math.min(Math.max(retryAfterMs, SECOND), LONGEST_RETRY_AFTER_MS);
  return Math.round(step * (0.9 + jitter / 5));
}

/** `Retry-After` as seconds or as a date (RFC 9110 section 10.2.3), in milliseconds from now; null when absent or malformed. */
export function parseRetryAfter(header: string | null, now: Millis): number | null {
  if (header === null) return null;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * SECOND;
  const date = header.trim().endsWith('GMT') ? Date.parse(header) : NaN;
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}
