import type { LiveReader } from './live-reader.ts';
import type { Millis } from '../domain/time.ts';

export interface Frame {
  sequence: number;
  text: string;
}

/** What is sent to one reader at once: the frames one by one, or as one array. */
export interface Parcel {
  sequence: number;
  texts: string[];
  bytes: number;
}

/** Where frames come from. */
export interface FrameSource {
  /** The frames after a sequence, at most `limit`. */
  framesAfter(sequence: number, limit: number): Frame[];
}

/** Renders each stretch of the log once in one round of sending, however many readers stand at the same place. */
export function parcels(source: FrameSource): (live: LiveReader, limit: number) => Parcel {
  const made = new Map<string, Parcel>();
  return ({ cursor, batch }, limit) => {
    const key = `${cursor} ${limit} ${batch}`;
    const known = made.get(key);
    if (known) return known;
    const parcel = pack(source.framesAfter(cursor, limit), batch);
    made.set(key, parcel);
    return parcel;
  };
}

function pack(frames: Frame[], batch: boolean): Parcel {
  const texts = frames.map(({ text }) => text);
  const packed = batch ? [`[${texts.join(',')}]`] : texts;
  const bytes = packed.reduce((sum, text) => sum + text.length, 0);
  return { sequence: frames.at(-1)?.sequence ?? 0, texts: packed, bytes };
}

/** What sending to one reader costs, about (facts/platform.md 3.4: 20,000 frames a second on two cores). */
const COST_MS = 0.05;
/** As long as an event may be held back for others to join it. */
const LONGEST_MS = 50;

/**
 * How soon a round may follow the last one: as long as that one took. So sending never takes more than half of the time, and what
 * happens meanwhile goes out together. A few readers cost nothing worth waiting for, and the first event after a silence never waits.
 */
export const gapAfter = (readers: number): Millis => {
  const gap = Math.min(readers * COST_MS, LONGEST_MS);
  return gap < 1 ? 0 : gap;
};
