import { presentFrame } from '../../dialects/voipbin/events.ts';
import {
  applyEvent,
  sequenceEvents,
  type NewTalkEvent,
  type TalkEvent,
  fromLogRow,
  toLogRow,
} from '../../domain/talk/events.ts';
import type { Participant, Talk, TalkMessage } from '../../domain/talk/state.ts';
import { nextMicros, type Micros, type Millis } from '../../domain/time.ts';
import { type NewKey, LogStore } from '../runtime/log-store.ts';
import { TalkStore, type StoredTalk, type TalkRecord, type TalkVersion } from './store.ts';

/** What one command changes, as data. `commit` stores all of it or nothing. */
export interface TalkDecision {
  at: Micros;
  /** What happened, oldest first. */
  events: NewTalkEvent[];
  /** A key that is used up by it, for the message that the events are about. */
  key?: Omit<NewKey, 'messageId'>;
  /** The version that an edit of the message replaces. */
  replacedVersion?: { messageId: string; version: TalkVersion };
  /** The message whose versions go, all of them. */
  dropVersionsOf?: string;
}

/** One talk's stored state and the only way to change it. Everything here is synchronous: no await can come between. */
export class TalkAggregate {
  /** Messages, participants and keys, for reading. */
  readonly stored: StoredTalk;
  readonly log: Pick<LogStore, 'after'>;
  readonly #storage: DurableObjectStorage;
  readonly #store: TalkStore;
  readonly #log: LogStore;
  /** The talk as it was last committed: a thousand participants are not read again for every message. */
  #talk: Talk | null;
  #lastAt: Micros;
  #lastReadAt: Micros;
  readonly #recent = new RecentFrames();
  readonly #clientIds: ClientIds;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#store = new TalkStore(storage);
    this.#log = new LogStore(storage.sql);
    this.stored = this.#store;
    this.log = this.#log;
    this.#clientIds = new ClientIds(this.#store);
    this.#talk = this.#store.talk();
    this.#lastReadAt = this.#store.lastReadAt();
    this.#lastAt = Math.max(this.#store.lastAt(), this.#lastReadAt);
  }

  get talk(): Talk | null {
    return this.#talk;
  }

  /** How far D1 has the log and the read positions, as it was last stored. */
  get cursors(): Pick<TalkRecord, 'historyCursor' | 'readsCursor'> {
    return this.#store.record() ?? { historyCursor: 0, readsCursor: 0 };
  }

  /** When the last read position was moved, or 0. */
  get lastReadAt(): Micros {
    return this.#lastReadAt;
  }

  /** The timestamp of the commit that is being decided. */
  now(): Micros {
    return nextMicros(this.#lastAt, Date.now());
  }

  /** The message that an agent sent under this client_id, among the talk's last ones. */
  messageByClientId(agentId: string, clientId: string): TalkMessage | null {
    const messageId = this.#clientIds.messageOf(agentId, clientId);
    return messageId === null ? null : this.stored.message(messageId);
  }

  /** All or nothing. @returns the events with their places in the log. @throws only on a bug or a broken disk. */
  commit(decision: TalkDecision): TalkEvent[] {
    const before = this.#talk;
    const placed = sequenceEvents(decision.events, before?.state.sequence ?? 0, decision.at);
    const after = placed.reduce<Talk | null>(applyEvent, before);
    try {
      this.#storage.transactionSync(() => this.#write(decision, placed, after));
    } catch (error) {
      this.#store.forget();
      throw error;
    }
    this.#talk = after;
    this.#lastAt = decision.at;
    this.#recent.add(placed);
    placed.forEach((event) => event.type === 'talk.message_created' && this.#clientIds.add(event.message));
    return placed;
  }

  /** The events after a sequence as they are shown, at most `limit`. */
  framesAfter(sequence: number, limit: number): TalkFrame[] {
    return this.#recent.after(sequence, limit) ?? this.#framesInLog(sequence, limit);
  }

  /** A read position is no event: it concerns one agent, and would fill the log with as many rows as there are readers. */
  saveRead(participant: Participant, at: Micros): void {
    this.#store.saveParticipant(participant, at);
    if (!this.#talk) return;
    const participants = new Map(this.#talk.participants).set(participant.agentId, participant);
    this.#talk = { ...this.#talk, participants };
    this.#lastAt = at;
    this.#lastReadAt = at;
  }

  saveCursors(historyCursor: number, readsCursor: Micros): void {
    const record = this.#store.record();
    if (record) this.#store.saveRecord({ ...record, historyCursor, readsCursor });
  }

  /** Nothing finds an expired key any more, so this changes nothing. */
  dropExpiredKeys(now: Millis): void {
    this.#store.keys.dropExpired(now);
  }

  #write({ key, replacedVersion, dropVersionsOf }: TalkDecision, placed: TalkEvent[], after: Talk | null): void {
    this.#store.prepare();
    placed.forEach((event) => this.#append(event));
    if (after && placed.some(changesRecord)) this.#store.saveRecord({ ...this.cursors, state: after.state });
    if (key) this.#store.keys.save({ ...key, messageId: messageIn(placed) });
    if (replacedVersion) this.#store.saveEdit(replacedVersion.messageId, replacedVersion.version);
    if (dropVersionsOf !== undefined) this.#store.dropEdits(dropVersionsOf);
  }

  #framesInLog(sequence: number, limit: number): TalkFrame[] {
    return this.log.after(sequence, limit).map((row) => {
      const message = row.messageId === null ? null : this.stored.message(row.messageId);
      return frameOf(fromLogRow(row, message));
    });
  }

  #append(event: TalkEvent): void {
    this.#log.append(toLogRow(event));
    if ('message' in event) this.#store.saveMessage(event.message);
    if (event.type === 'talk.participant_joined') this.#store.saveParticipant(event.participant, 0);
    if (event.type === 'talk.participant_left') this.#store.dropParticipant(event.participant.agentId);
  }
}

function messageIn(events: TalkEvent[]): string {
  const event = events.find((each) => 'message' in each);
  return event ? event.message.id : '';
}

/** What messages and reactions change of a talk follows from the log. */
const changesRecord = (event: TalkEvent): boolean => !('message' in event);

/** One event as sockets and the feed send it. */
export interface TalkFrame {
  sequence: number;
  type: string;
  text: string;
  /** Agents whom it concerns though they are no longer in the talk: who leaves hears of that, and of nothing after it. */
  also: string[];
}

/** At most: frames, and characters. */
const KEPT_FRAMES = 400;
const KEPT_CHARACTERS = 1_000_000;

function frameOf(event: TalkEvent): TalkFrame {
  const frame = presentFrame(event);
  const also = event.type === 'talk.participant_left' && 'participant' in event ? [event.participant.agentId] : [];
  return { sequence: event.sequence, type: frame.type, text: JSON.stringify(frame), also };
}

/** The newest events, rendered once for everybody who is up to date; who is further behind reads the log. */
class RecentFrames {
  #frames: TalkFrame[] = [];
  #characters = 0;

  add(events: TalkEvent[]): void {
    // The former content of a message must not be shown to anybody any more, not even for the moment that it takes to send.
    if (events.some(changesContent)) this.#forget();
    for (const frame of events.map(frameOf)) {
      this.#frames.push(frame);
      this.#characters += frame.text.length;
    }
    // All at once, which is simple and rare: who is up to date has had them.
    if (this.#frames.length > KEPT_FRAMES || this.#characters > KEPT_CHARACTERS) this.#forget();
  }

  /** Those after a sequence, at most `limit`; null when some of them are no longer here. */
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

/** A client that resends what it lost does so soon: its message is among this many. */
const KEPT_CLIENT_IDS = 10_000;

/**
 * Which message each agent's client_id stands for, among the talk's last ones. Held in memory and read from the messages once in each
 * life of the object: an index of its own would cost every message a page on the disk.
 */
class ClientIds {
  readonly #store: Pick<TalkStore, 'clientIds'>;
  #ids: Map<string, string> | null = null;

  constructor(store: Pick<TalkStore, 'clientIds'>) {
    this.#store = store;
  }

  messageOf(agentId: string, clientId: string): string | null {
    if (clientId === '') return null;
    this.#ids ??= this.#load();
    return this.#ids.get(nameOf(agentId, clientId)) ?? null;
  }

  add({ id, ownerId, clientId }: Pick<TalkMessage, 'id' | 'ownerId' | 'clientId'>): void {
    if (!this.#ids || ownerId === null || clientId === '') return;
    const name = nameOf(ownerId, clientId);
    this.#ids.delete(name);
    this.#ids.set(name, id);
    const oldest = this.#ids.size > KEPT_CLIENT_IDS ? this.#ids.keys().next().value : undefined;
    if (oldest !== undefined) this.#ids.delete(oldest);
  }

  #load(): Map<string, string> {
    const named = this.#store.clientIds(KEPT_CLIENT_IDS).toReversed();
    return new Map(named.map(({ id, ownerId, clientId }) => [nameOf(ownerId, clientId), id]));
  }
}

const nameOf = (agentId: string, clientId: string): string => `${agentId} ${clientId}`;
