import { HOUR, microsOf, millisOf, type Micros, type Millis } from '../../time.ts';

/**
 * How long free text may be sent: some channels allow it for a time after each message of the contact (WhatsApp: 24 hours), and
 * templates alone after that.
 */
export interface ServiceWindow {
  /** 0: the contact has never written. */
  until: Micros;
  /** Whether its near end was announced. */
  warned: boolean;
  /** How much longer a person may answer (Messenger: 7 days in all). */
  humanExtraMs: Millis;
}

/** Voicebip announces the end so long before it comes. */
const NOTICE_MS: Millis = HOUR;

export const neverOpened = (humanExtraMs: Millis): ServiceWindow => ({ until: 0, warned: true, humanExtraMs });

/** The window after a message of the contact. One that comes late does not shorten it. */
export const reopened = (
  window: ServiceWindow | null,
  until: Millis | null,
  humanExtraMs: Millis,
): ServiceWindow | null =>
  window && until !== null && microsOf(until) > window.until
    ? { until: microsOf(until), warned: false, humanExtraMs }
    : window;

/** The window after the provider has said that it is over, until the contact writes again: its word counts, also against a person's longer time. */
export function shut(window: ServiceWindow | null, at: Micros): ServiceWindow | null {
  if (window === null) return null;
  if (window.until > at) return { ...window, until: at, warned: true };
  return window.humanExtraMs > 0 ? { ...window, humanExtraMs: 0 } : window;
}

/** `isHuman`: a person answers, who may do so for longer; not to a contact who has never written. */
export function isWindowClosed({ window }: { window: ServiceWindow | null }, isHuman: boolean, at: Micros): boolean {
  if (window === null || at < window.until) return false;
  return !isHuman || window.until === 0 || at >= window.until + microsOf(window.humanExtraMs);
}

/** When its near end is to be announced, or null. */
export const noticeAt = ({ window }: { window: ServiceWindow | null }): Millis | null =>
  window && !window.warned ? millisOf(window.until) - NOTICE_MS : null;
