import type { Attachment, Reader } from './protocol.ts';
import { bytesOf } from './socket.ts';
import type { Millis } from '../../domain/time.ts';

export interface Frame {
  sequence: number;
  text: string;
}

/** What is sent to one reader at once: several frames, or one array of them. */
export interface FrameChunk {
  /** Of its last event. */
  sequence: number;
  texts: string[];
  bytes: number;
}

/** Where frames come from. */
export interface FrameSource {
  /** The frames after a sequence, at most `limit`, as this view of the log shows them. */
  framesAfter(sequence: number, limit: number, view: string): Frame[];
  /** Names what a reader is shown of the log; absent: all are shown the same. */
  viewOf?(shown: Pick<Position, 'reader' | 'dialect'>): string;
}

const PAGE = 100;
/** No frame of many events is larger, and no reader is sent more before its window is looked at again. Bytes. */
const CHUNK_BYTES = 64 * 1024;

/** Where a reader is, and how it takes its frames. */
interface Position {
  cursor: number;
  batch: boolean;
  reader: Reader;
  dialect: Attachment['dialect'];
}

/** Renders each part of the log once in one round of sending, however many readers are at the same position. */
export function frameChunks(source: FrameSource): (position: Position, events: number) => FrameChunk {
  const made = new Map<string, FrameChunk>();
  return (position, events) => {
    const { cursor, batch } = position;
    const limit = Math.min(events, PAGE);
    const view = source.viewOf?.(position) ?? '';
    const key = `${cursor} ${limit} ${batch} ${view}`;
    const known = made.get(key) ?? pack(source.framesAfter(cursor, limit, view), batch);
    made.set(key, known);
    return known;
  };
}

/** As many frames as fit into a chunk, and at least one. */
function pack(frames: Frame[], batch: boolean): FrameChunk {
  const texts: string[] = [];
  let bytes = 0;
  for (const { text } of frames) {
    bytes += bytesOf(text);
    if (texts.length > 0 && bytes > CHUNK_BYTES) break;
    texts.push(text);
  }
  const sequence = frames[texts.length - 1]?.sequence ?? 0;
  return { sequence, texts: batch ? [`[${texts.join(',')}]`] : texts, bytes };
}

/** What sending to one reader costs, measured with the reader itself on the same two cores (facts/platform.md 3.4). */
const COST_MS = 0.05;
/** How long an event may be held back for others to join it. */
const LONGEST_MS = 50;
/** Less is not worth a timer. */
const SHORTEST_MS = 0.5;
/** A socket that wrote within this time is expected to write again. */
const LATELY_MS = 250;

/**
 * When to send, and to whom first. While one person writes, nothing is held back: the next message comes when the last one has been
 * seen. While several write, rounds of sending are as far apart as one takes, so that events that come during a round share the next.
 */
export class FlushScheduler {
  #sentAt: Millis = 0;
  readonly #wroteAt = new Map<WebSocket, Millis>();

  wrote(socket: WebSocket, now: Millis): void {
    this.#wroteAt.set(socket, now);
  }

  /** How long the next round must wait; 0 or less: not at all. Milliseconds. */
  wait(readers: number, now: Millis): Millis {
    const gap = Math.min(readers * COST_MS, LONGEST_MS);
    if (gap < SHORTEST_MS || this.#wroteAt.size < 2) return 0;
    // A clock that was set back must not make the wait longer.
    return Math.min(this.#sentAt + gap - now, gap);
  }

  /** A round begins. @returns the sockets that wrote lately: they get their own message first, and can go on. */
  begin(now: Millis): WebSocket[] {
    this.#sentAt = now;
    for (const [socket, at] of this.#wroteAt) if (now - at > LATELY_MS) this.#wroteAt.delete(socket);
    return [...this.#wroteAt.keys()];
  }
}
