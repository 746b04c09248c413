/** Microseconds since the Unix epoch. Fits a JavaScript number exactly until the year 2255. */
export type Micros = number;

/** Milliseconds since the Unix epoch, as `Date.now()` gives them. */
export type Millis = number;

export const microsOf = (ms: Millis): Micros => ms * 1000;

export const millisOf = (us: Micros): Millis => Math.floor(us / 1000);

/**
 * The next timestamp of one object: never before the clock, never equal to an earlier one.
 * Page tokens are timestamps, so two rows of one object must not share one.
 */
export const nextMicros = (last: Micros, nowMs: Millis): Micros => Math.max(last + 1, microsOf(nowMs));

export const SECOND: Millis = 1000;
export const MINUTE: Millis = 60 * SECOND;
export const HOUR: Millis = 60 * MINUTE;
export const DAY: Millis = 24 * HOUR;
