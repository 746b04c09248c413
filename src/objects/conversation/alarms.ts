import { SECOND, type Millis } from '../../domain/time.ts';

/** An alarm in the past may never fire (facts/style.md section 5): the earliest is a moment from now. */
const SOONEST_MS = 50;
/** How late the net may be for work that a drain has just been started for. */
export const NET_MS = 5 * SECOND;

/** The one physical alarm for all that is due. Null when nothing ever is. */
export function nextAlarm(due: (Millis | null)[], now: Millis): Millis | null {
  const times = due.filter((time) => time !== null);
  return times.length === 0 ? null : Math.max(Math.min(...times), now + SOONEST_MS);
}

/** Whether the stored alarm must be moved: a missing one, one that lies in the past, or one that would come too late. */
export const mustMove = (stored: Millis | null, next: Millis, now: Millis): boolean =>
  stored === null || stored > next || stored < now;
