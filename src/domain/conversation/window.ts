import { HOUR, microsOf, millisOf, type Micros, type Millis } from '../time.ts';
import type { ConversationState } from './state.ts';

/**
 * How long free text may be sent: some channels allow it for a time after each message of the contact (WhatsApp: 24 hours), and
 * templates alone after that.
 */
export interface ServiceWindow {
  /** 0: the contact has never written. */
  until: Micros;
  /** Whether its near end was announced. */
  warned: boolean;
}

/** Voicebip announces the end so long before it comes. */
const NOTICE_MS: Millis = HOUR;

export const NEVER_OPENED: ServiceWindow = { until: 0, warned: true };

/** The window after a message of the contact. One that comes late does not shorten it. */
export const reopened = (window: ServiceWindow | null, until: Millis | null): ServiceWindow | null =>
  window && until !== null && microsOf(until) > window.until ? { until: microsOf(until), warned: false } : window;

/** The window after the provider has said that it is over: its word counts. */
export const shut = (window: ServiceWindow | null, at: Micros): ServiceWindow | null =>
  window && window.until > at ? { until: at, warned: true } : window;

export const isWindowClosed = ({ window }: ConversationState, at: Micros): boolean =>
  window !== null && at >= window.until;

/** When its near end is to be announced, or null. */
export const noticeAt = ({ window }: ConversationState): Millis | null =>
  window && !window.warned ? millisOf(window.until) - NOTICE_MS : null;
