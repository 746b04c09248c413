import { applyEvent, place } from '../../domain/talk/apply.ts';
import type { NewTalkEvent, TalkEvent } from '../../domain/talk/events.ts';
import { toLogRow } from '../../domain/talk/log-row.ts';
import type { Participant, Talk } from '../../domain/talk/state.ts';
import { nextMicros, type Micros } from '../../domain/time.ts';
import type { LogStore } from '../store/log-store.ts';
import type { TalkStore } from '../store/talk-store.ts';

/** One talk's stored state and the only way to change it. Everything here is synchronous: no await can come between. */
export class TalkRoom {
  readonly storage: DurableObjectStorage;
  readonly store: TalkStore;
  readonly log: LogStore;
  /** The talk as it was last committed: a thousand participants are not read again for every message. */
  #talk: Talk | null;
  #lastAt: Micros;
  #lastReadAt: Micros;

  constructor(storage: DurableObjectStorage, store: TalkStore, log: LogStore) {
    this.storage = storage;
    this.store = store;
    this.log = log;
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

  /** Log, state, messages and `rows`, all or nothing. @throws only on a bug or a broken disk, leaving nothing behind. */
  commit(events: NewTalkEvent[], at: Micros, rows?: () => void): void {
    const before = this.#talk;
    const placed = place(events, before?.state.sequence ?? 0, at);
    const after = placed.reduce<Talk | null>(applyEvent, before);
    try {
      this.storage.transactionSync(() => {
        this.store.prepare();
        placed.forEach((event) => this.#append(event));
        if (after && placed.some(changesRecord)) this.#saveState(after);
        rows?.();
      });
    } catch (error) {
      this.store.forget();
      throw error;
    }
    this.#talk = after;
    this.#lastAt = at;
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

/** What a message or a reaction changes of a talk, its log tells. */
const changesRecord = (event: TalkEvent): boolean => !('message' in event);
