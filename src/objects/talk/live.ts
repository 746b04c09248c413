import { isParticipant } from './commands.ts';
import { handleFrame, readFrame } from './frames.ts';
import type { TalkAggregate } from './aggregate.ts';
import { paced } from '../runtime/paced.ts';
import { errorFrame, type Reader, type SessionRequest } from '../live/protocol.ts';
import { Sessions } from '../live/sessions.ts';
import { hasRole } from '../../domain/permissions.ts';
import type { TalkActor } from '../../domain/talk/commands.ts';
import type { Participant } from '../../domain/talk/state.ts';
import { revokedReaders } from '../../storage/readers.ts';

type Status = 'online' | 'offline';

/** How long the room may wait to hear who came and went, after it was told the last time. */
const PRESENCE_GAP_MS = 250;

/** What the sockets of a talk need of their object. */
interface TalkLiveHost {
  /** A command came by a socket, and was carried out. */
  settle(): void;
  /** When sockets need the alarm may have changed. */
  rearm(): void;
}

/** The sockets of one talk: who may have one, what they are sent, what they may say, and who is there. */
export class TalkLive {
  readonly sessions: Sessions;
  readonly #ctx: DurableObjectState;
  readonly #aggregate: TalkAggregate;
  readonly #host: TalkLiveHost;
  /** Who came or went since the room was last told. */
  readonly #moved = new Map<string, Status>();
  readonly #tellOfMoves = paced(() => this.#sendPresence(), PRESENCE_GAP_MS);

  constructor(ctx: DurableObjectState, env: Env, aggregate: TalkAggregate, host: TalkLiveHost) {
    this.#ctx = ctx;
    this.#aggregate = aggregate;
    this.#host = host;
    this.sessions = new Sessions(ctx, {
      head: () => aggregate.talk?.state.sequence ?? 0,
      framesAfter: (sequence, limit) => aggregate.framesAfter(sequence, limit),
      mayRead: (reader) => this.mayRead(reader),
      revoked: (readers) => revokedReaders(env, readers),
      command: (reader, frame) => this.#command(reader, frame),
      rearm: () => host.rearm(),
    });
  }

  /** Participants alone, and only as long as they are. */
  mayRead(reader: Reader): boolean {
    return reader.kind === 'agent' && isParticipant(this.#aggregate, reader.customerId, reader.agentId);
  }

  /** The newcomer is told who is there, and those who are there of the newcomer, where that is news. */
  accept(session: SessionRequest): Response {
    const present = this.#present();
    const agentId = agentOf(session.reader);
    if (!present.has(agentId)) this.#note(agentId, 'online');
    const there = [...present].map((each): [string, Status] => [each, 'online']);
    return this.sessions.accept(session, there.length === 0 ? null : this.#presence(there));
  }

  gone(socket: WebSocket): void {
    const reader = this.sessions.gone(socket);
    if (!reader || this.#present().has(agentOf(reader))) return;
    this.#note(agentOf(reader), 'offline');
  }

  sendRead(participant: Participant): void {
    this.sessions.sendEphemeral(readFrame(participant));
  }

  #command(reader: Reader, frame: unknown): unknown {
    if (reader.kind !== 'agent') return errorFrame('this socket does not accept commands');
    const { reply, sendEphemeral } = handleFrame(this.#aggregate, actorOf(reader), frame);
    if (sendEphemeral)
      this.sessions.sendEphemeral(
        sendEphemeral.frame,
        (other) => !sendEphemeral.toSelf && agentOf(other) === reader.agentId,
      );
    this.#host.settle();
    return reply;
  }

  #present(): Set<string> {
    return new Set(this.sessions.readers().map(agentOf));
  }

  #note(agentId: string, status: Status): void {
    this.#moved.set(agentId, status);
    this.#ctx.waitUntil(this.#tellOfMoves());
  }

  /** After a deploy a thousand come back at once: told one by one, that would be a million frames. */
  #sendPresence(): Promise<void> {
    if (this.#moved.size > 0) this.sessions.sendEphemeral(this.#presence([...this.#moved]));
    this.#moved.clear();
    return Promise.resolve();
  }

  #presence(agents: [string, Status][]) {
    const people = agents.map(([owner_id, status]) => ({ owner_type: 'agent', owner_id, status }));
    return { type: 'presence', data: { chat_id: this.#aggregate.talk?.state.id ?? '', agents: people } };
  }
}

const agentOf = (reader: Reader): string => (reader.kind === 'agent' ? reader.agentId : '');

const actorOf = (reader: Extract<Reader, { kind: 'agent' }>): TalkActor => ({
  customerId: reader.customerId,
  agentId: reader.agentId,
  isAdmin: hasRole(reader, 'admin'),
  talkId: null,
});
