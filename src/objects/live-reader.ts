import { WINDOW, WINDOW_BYTES, type Attachment } from './session-protocol.ts';
import type { Millis } from '../domain/time.ts';

/** One open socket, in memory: how far it was sent the log, and how far it says it has it. */
export interface LiveReader {
  cursor: number;
  /** What was sent and not acknowledged, oldest first. */
  underWay: { sequence: number; bytes: number }[];
  bytes: number;
  /** Since when the window is full, or null. */
  stalledAt: Millis | null;
  caughtUp: boolean;
  /** When its credential was last looked at, and whether that is going on. */
  checkedAt: Millis;
  checking: boolean;
}

export const newReader = (cursor: number, now: Millis): LiveReader => ({
  cursor,
  underWay: [],
  bytes: 0,
  stalledAt: null,
  caughtUp: false,
  checkedAt: now,
  checking: false,
});

/**
 * A reader after its object was away. One that was live has everything up to `head`, which is the log's head before anything new;
 * one that was behind goes on where it was, and what it had not acknowledged then still counts.
 */
export function wokenReader({ behind }: Attachment, head: number): LiveReader {
  if (!behind) return { ...newReader(head, 0), caughtUp: true };
  const { cursor, acked, stalledAt } = behind;
  const underWay = Array.from({ length: cursor - acked }, (_, index) => ({ sequence: acked + index + 1, bytes: 0 }));
  return { ...newReader(cursor, 0), underWay, stalledAt };
}

/** How many more events may be sent now. */
export const roomOf = (reader: LiveReader): number =>
  reader.bytes >= WINDOW_BYTES ? 0 : Math.max(0, WINDOW - reader.underWay.length);

export function sent(reader: LiveReader, sequence: number, bytes: number): void {
  reader.cursor = sequence;
  reader.bytes += bytes;
  reader.underWay.push({ sequence, bytes });
}

export function acknowledged(reader: LiveReader, sequence: number): void {
  const open = reader.underWay.findIndex((event) => event.sequence > sequence);
  const done = reader.underWay.splice(0, open === -1 ? reader.underWay.length : open);
  reader.bytes -= done.reduce((sum, event) => sum + event.bytes, 0);
  reader.stalledAt = null;
}

/** What must outlive an eviction. */
export const behindOf = (reader: LiveReader): NonNullable<Attachment['behind']> => ({
  cursor: reader.cursor,
  acked: reader.cursor - reader.underWay.length,
  stalledAt: reader.stalledAt,
});
