import { applyEvent, place } from '../../domain/talk/apply.ts';
import type { NewTalkEvent, TalkEvent } from '../../domain/talk/events.ts';
import { fromLogRow, toLogRow } from '../../domain/talk/log-row.ts';
import type { Participant, Talk } from '../../domain/talk/state.ts';
import { nextMicros, type Micros } from '../../domain/time.ts';
import { ClientIds } from './client-ids.ts';
import { frameOf, RecentFrames, type TalkFrame } from './recent.ts';
import type { LogStore } from '../runtime/log-store.ts';
import type { TalkStore } from './store.ts';

/** One talk's stored state and the only way to change it. Everything here is synchronous: no await can come between. */
export class TalkAggregate {
  readonly storage: DurableObjectStorage;
  readonly store: TalkStore;
  readonly log: LogStore;
  readonly clientIds: ClientIds;
  /** The talk as it was last committed: a thousand participants are not read again for every message. */
  #talk: Talk | null;
  #lastAt: Micros;
  #lastReadAt: Micros;
  readonly #recent = new RecentFrames();

  constructor(storage: DurableObjectStorage, store: TalkStore, log: LogStore) {
    this.storage = storage;
    this.store = store;
    this.log = log;
    this.clientIds = new ClientIds(store);
    this.#talk = store.talk();
    this.#lastReadAt = store.lastReadAt();
    this.#lastAt = Math.max(store.lastAt(), this.#lastReadAt);
  }

  get talk(): Talk | null {
    return this.#talk;
  }

  /** When the last read position was moved, or 0. */
  get lastReadAt(): Micros {
    return this.#lastReadAt;
  }

  /** The timestamp of the commit that is being decided. */
  now(): Micros {
    return nextMicros(this.#lastAt, Date.now());
  }

  /** Log, state, messages and `rows`, which is told the message that it is about, all or nothing. @returns the events in their place. @throws only on a bug or a broken disk, leaving nothing behind. */
  commit(events: NewTalkEvent[], at: Micros, rows?: (messageId: string) => void): TalkEvent[] {
    const before = this.#talk;
    const placed = place(events, before?.state.sequence ?? 0, at);
    const after = placed.reduce<Talk | null>(applyEvent, before);
    try {
      this.storage.transactionSync(() => {
        this.store.prepare();
        placed.forEach((event) => this.#append(event));
        if (after && placed.some(changesRecord)) this.#saveState(after);
        rows?.(messageIn(placed));
      });
    } catch (error) {
      this.store.forget();
      throw error;
    }
    this.#talk = after;
    this.#lastAt = at;
    this.#recent.add(placed);
    placed.forEach((event) => event.type === 'talk.message_created' && this.clientIds.add(event.message));
    return placed;
  }

  /** The events after a sequence as they are shown, at most `limit`. */
  framesAfter(sequence: number, limit: number): TalkFrame[] {
    return this.#recent.after(sequence, limit) ?? this.#framesInLog(sequence, limit);
  }

  /** A read position is no event: it concerns one agent, and would fill the log with as many rows as there are readers. */
  saveRead(participant: Participant, at: Micros): void {
    this.store.saveParticipant(participant, at);
    if (!this.#talk) return;
    const participants = new Map(this.#talk.participants).set(participant.agentId, participant);
    this.#talk = { ...this.#talk, participants };
    this.#lastAt = at;
    this.#lastReadAt = at;
  }

  #framesInLog(sequence: number, limit: number): TalkFrame[] {
    return this.log.after(sequence, limit).map((row) => {
      const message = row.messageId === null ? null : this.store.message(row.messageId);
      return frameOf(fromLogRow(row, message));
    });
  }

  #append(event: TalkEvent): void {
    this.log.append(toLogRow(event));
    if ('message' in event) this.store.saveMessage(event.message);
    if (event.type === 'talk.participant_joined') this.store.saveParticipant(event.participant, 0);
    if (event.type === 'talk.participant_left') this.store.dropParticipant(event.participant.agentId);
  }

  #saveState({ state }: Talk): void {
    const { historyCursor, readsCursor } = this.store.record() ?? { historyCursor: 0, readsCursor: 0 };
    this.store.saveRecord({ state, historyCursor, readsCursor });
  }
}

function messageIn(events: TalkEvent[]): string {
  const event = events.find((each) => 'message' in each);
  return event ? event.message.id : '';
}

/** What a message or a reaction changes of a talk, its log tells. */
const changesRecord = (event: TalkEvent): boolean => !('message' in event);
