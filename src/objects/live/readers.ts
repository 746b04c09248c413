import { WINDOW, type Attachment, type Reader } from './protocol.ts';
import type { Millis } from '../../domain/time.ts';

/** One open socket, in memory: who reads, how far it was sent the log, and how far it says it has it. */
export interface LiveReader {
  reader: Reader;
  batch: boolean;
  dialect: Attachment['dialect'];
  cursor: number;
  acked: number;
  /** What was sent and not acknowledged, oldest first: one entry for each time that something was sent. */
  underWay: { sequence: number; bytes: number }[];
  bytes: number;
  /** Since when the window is full, or null. */
  stalledAt: Millis | null;
  caughtUp: boolean;
  /** What was whispered to it since it was last heard of, and when that was. */
  ephemeralBytes: number;
  heardAt: Millis;
  /** When its credential was last found good. */
  checkedAt: Millis;
}

type Who = Pick<LiveReader, 'reader' | 'batch' | 'dialect'>;

export const newReader = ({ reader, batch, dialect }: Who, cursor: number, checkedAt: Millis): LiveReader => ({
  reader,
  batch,
  dialect,
  cursor,
  acked: cursor,
  underWay: [],
  bytes: 0,
  stalledAt: null,
  caughtUp: false,
  ephemeralBytes: 0,
  heardAt: 0,
  checkedAt,
});

/**
 * A reader after its object was away. One that was live has everything up to `head`, which is the log's head before anything new;
 * one that was behind goes on where it was, and what it had not acknowledged then still counts.
 */
export function wokenReader(attachment: Attachment, head: number): LiveReader {
  const { behind } = attachment;
  if (!behind) return { ...newReader(attachment, head, 0), caughtUp: true };
  return { ...newReader(attachment, behind.cursor, 0), acked: behind.acked, stalledAt: behind.stalledAt };
}

/** How much more may be sent now to a reader with a window of so many bytes. */
export const budgetOf = (live: LiveReader, bytes: number): SendBudget => ({
  events: Math.max(0, WINDOW - (live.cursor - live.acked)),
  bytes: bytes - live.bytes,
});

export interface SendBudget {
  events: number;
  bytes: number;
}

export function sent(live: LiveReader, sequence: number, bytes: number): void {
  live.cursor = sequence;
  live.bytes += bytes;
  live.underWay.push({ sequence, bytes });
}

export function acknowledged(live: LiveReader, sequence: number): void {
  live.acked = Math.min(Math.max(live.acked, sequence), live.cursor);
  const open = live.underWay.findIndex((part) => part.sequence > live.acked);
  const done = live.underWay.splice(0, open === -1 ? live.underWay.length : open);
  live.bytes -= done.reduce((sum, part) => sum + part.bytes, 0);
  live.stalledAt = null;
}

/** Any frame of its own shows that it reads. */
export function heard(live: LiveReader, now: Millis): void {
  live.ephemeralBytes = 0;
  live.heardAt = now;
}

/** What must outlive an eviction. */
export const behindOf = ({ cursor, acked, stalledAt }: LiveReader): NonNullable<Attachment['behind']> => ({
  cursor,
  acked,
  stalledAt,
});
