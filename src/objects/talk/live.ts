import { z } from 'zod';
import type { TalkAggregate } from './aggregate.ts';
import { deleteMessage, editMessage, isParticipant, moveRead, react, sendMessage, unreact } from './commands.ts';
import { errorFrame, type Reader, type SessionRequest } from '../live/protocol.ts';
import { Sessions } from '../live/sessions.ts';
import { paced } from '../runtime/drains.ts';
import { presentParticipant, presentTalkMessage } from '../../dialects/voipbin/talk.ts';
import { talkEditOf, talkFrameSchema, talkSendOf, type TalkFrame } from '../../dialects/voipbin/talk-bodies.ts';
import { REFUSAL_MESSAGES, type Refusal } from '../../domain/errors.ts';
import { hasRole } from '../../domain/permissions.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { mayAct } from '../../domain/talk/access.ts';
import type { TalkActor } from '../../domain/talk/commands.ts';
import type { Participant, TalkMessage } from '../../domain/talk/state.ts';
import { revokedReaders } from '../../storage/readers.ts';

type Status = 'online' | 'offline';

/** How long presence is gathered before it is sent again. Milliseconds. */
const PRESENCE_GAP_MS = 250;

/** What the sockets of a talk need of their object. */
interface TalkLiveHost {
  /** A frame of a socket was dispatched. */
  settle(): void;
  /** The next due time of the sockets may have changed. */
  rearm(): void;
}

/** The sockets of one talk: who may open one, the frames that they take and get, and the presence of their agents. */
export class TalkLive {
  readonly sessions: Sessions;
  readonly #ctx: DurableObjectState;
  readonly #aggregate: TalkAggregate;
  readonly #host: TalkLiveHost;
  /** Whose presence has changed since it was last sent. */
  readonly #changed = new Map<string, Status>();
  readonly #presenceChanged = paced(() => this.#sendPresence(), PRESENCE_GAP_MS);

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

  /** Participants only, for as long as they are in the talk. */
  mayRead(reader: Reader): boolean {
    return reader.kind === 'agent' && isParticipant(this.#aggregate, reader.customerId, reader.agentId);
  }

  /** The newcomer receives the presence of the others, and they the newcomer's where it has changed. */
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
    this.#changed.set(agentId, status);
    this.#ctx.waitUntil(this.#presenceChanged());
  }

  /** After a deploy a thousand come back at once: one by one, that would be a million frames. */
  #sendPresence(): Promise<void> {
    if (this.#changed.size > 0) this.sessions.sendEphemeral(this.#presence([...this.#changed]));
    this.#changed.clear();
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

/** The outcome of one frame: the answer to its sender, and what the others are sent outside the log. */
interface Handled {
  reply: unknown;
  sendEphemeral: Ephemeral | null;
}

interface Ephemeral {
  frame: unknown;
  /** Whether the agent's own sockets receive it too: its other devices must know what it has read, and not that it types. */
  toSelf: boolean;
}

type Outcome = Result<{ data: unknown; sendEphemeral?: Ephemeral }, Refusal>;

/** A bad frame is answered by an `error` frame, and the socket stays open. */
function handleFrame(aggregate: TalkAggregate, actor: TalkActor, frame: unknown): Handled {
  const parsed = talkFrameSchema.safeParse(frame);
  if (!parsed.success) return { reply: malformed(frame, parsed.error), sendEphemeral: null };
  const { client_id } = parsed.data;
  const outcome = dispatch(aggregate, actor, parsed.data);
  if (!outcome.ok) return { reply: { type: 'error', client_id, error: problem(outcome.error) }, sendEphemeral: null };
  const { data, sendEphemeral = null } = outcome.value;
  return { reply: { type: 'ack', client_id, data }, sendEphemeral };
}

function dispatch(aggregate: TalkAggregate, actor: TalkActor, frame: TalkFrame): Outcome {
  switch (frame.type) {
    case 'send':
      return shown(sendMessage(aggregate, actor, talkSendOf(frame), null));
    case 'edit':
      return shown(editMessage(aggregate, actor, frame.message_id, talkEditOf(frame)));
    case 'delete':
      return shown(deleteMessage(aggregate, actor, frame.message_id));
    case 'react':
      return shown(react(aggregate, actor, frame.message_id, frame.emoji, null));
    case 'unreact':
      return shown(unreact(aggregate, actor, frame.message_id, frame.emoji));
    case 'read':
      return read(aggregate, actor, frame.sequence);
    case 'typing':
      return typing(aggregate, actor);
  }
}

const shown = (result: Result<TalkMessage, Refusal>): Outcome =>
  result.ok ? ok({ data: presentTalkMessage(result.value) }) : result;

function read(aggregate: TalkAggregate, actor: TalkActor, sequence: number): Outcome {
  const moved = moveRead(aggregate, actor, sequence);
  if (!moved.ok) return moved;
  if (!moved.value) return ok({ data: null });
  return ok({ data: presentParticipant(moved.value), sendEphemeral: { frame: readFrame(moved.value), toSelf: true } });
}

/** How far somebody has read; outside the log, like typing and presence. */
const readFrame = (participant: Participant) => ({
  type: 'read',
  data: presentParticipant(participant),
});

function typing(aggregate: TalkAggregate, actor: TalkActor): Outcome {
  const found = mayAct(aggregate.talk, actor);
  if (!found.ok) return err(found.error);
  const data = { chat_id: found.value.state.id, owner_type: 'agent', owner_id: actor.agentId };
  return ok({ data, sendEphemeral: { frame: { type: 'typing', data }, toSelf: false } });
}

const clientIdSchema = z.object({ client_id: z.string() });

/** The frame's client_id is echoed where there is one, so that the client knows which of its frames was wrong. */
function malformed(frame: unknown, error: z.ZodError) {
  const named = clientIdSchema.safeParse(frame);
  const details = Object.fromEntries(
    error.issues.map((issue) => [issue.path.join('.') || 'frame', issue.message] as const).toReversed(),
  );
  const message = Object.entries(details)
    .map(([field, what]) => `${field}: ${what}`)
    .join('; ');
  const client_id = named.success ? named.data.client_id : '';
  return { type: 'error', client_id, error: { reason: 'INVALID_ARGUMENT', message, details } };
}

function problem(refusal: Refusal) {
  if (refusal.code !== 'INVALID_FIELD') return { reason: refusal.code, message: REFUSAL_MESSAGES[refusal.code] };
  const { field, problem: what } = refusal;
  return { reason: 'INVALID_ARGUMENT', message: `${field}: ${what}`, details: { [field]: what } };
}
