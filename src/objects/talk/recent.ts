import { presentFrame } from '../../dialects/voipbin/events.ts';
import type { TalkEvent } from '../../domain/talk/events.ts';

/** One event as sockets and the feed send it. */
export interface TalkFrame {
  sequence: number;
  type: string;
  text: string;
  /** Agents whom it concerns though they are in the talk no more: who leaves is told of that, and of nothing after it. */
  also: string[];
}

/** At most: frames, and characters. */
const KEPT = 400;
const KEPT_CHARACTERS = 1_000_000;

export function frameOf(event: TalkEvent): TalkFrame {
  const frame = presentFrame(event);
  const also = event.type === 'talk.participant_left' && 'participant' in event ? [event.participant.agentId] : [];
  return { sequence: event.sequence, type: frame.type, text: JSON.stringify(frame), also };
}

/** The newest events, rendered once for everybody who is up to date; who is further behind reads the log. */
export class RecentFrames {
  #frames: TalkFrame[] = [];
  #characters = 0;

  add(events: TalkEvent[]): void {
    // What a message said before must not be shown to anybody any more, not even for the moment that it takes to send.
    if (events.some(changesContent)) this.#forget();
    for (const frame of events.map(frameOf)) {
      this.#frames.push(frame);
      this.#characters += frame.text.length;
    }
    // All at once, which is simple and rare: who is up to date has had them.
    if (this.#frames.length > KEPT || this.#characters > KEPT_CHARACTERS) this.#forget();
  }

  /** Those after a sequence, at most `limit`; null when some of them are here no more. */
  after(sequence: number, limit: number): TalkFrame[] | null {
    const first = this.#frames[0];
    if (!first || first.sequence > sequence + 1) return null;
    const start = sequence + 1 - first.sequence;
    return this.#frames.slice(start, start + limit);
  }

  #forget(): void {
    this.#frames = [];
    this.#characters = 0;
  }
}

const changesContent = ({ type }: TalkEvent): boolean =>
  type === 'talk.message_updated' || type === 'talk.message_deleted';
