import { z } from 'zod';
import type { ConversationAggregate } from './aggregate.ts';
import { errorFrame, SESSION_HEADER, sessionRequestSchema, type Reader } from '../live/protocol.ts';
import type { Frame } from '../live/fan-out.ts';
import { Sessions } from '../live/sessions.ts';
import { visitorFrame } from '../../dialects/chat/frame.ts';
import { presentStreamFrame } from '../../dialects/voicebip/stream.ts';
import { presentFrame } from '../../dialects/voipbin/events.ts';
import { decideReached } from '../../domain/conversation/decide-message.ts';
import { holderOf, isReleased } from '../../domain/conversation/identity/participants.ts';
import type { ContactAddress } from '../../domain/conversation/state.ts';
import { hasRole, isOwner } from '../../domain/permissions.ts';
import { revokedReaders } from '../../storage/readers.ts';

/** What the sockets need of their object. */
interface LiveHost {
  rearm(): void;
  /** A frame of a socket has led to a commit. */
  committed(): void;
}

type Visitor = Extract<Reader, { kind: 'visitor' }>;

const typingSchema = z.object({ type: z.literal('typing'), is_typing: z.boolean() });
const readSchema = z.object({ type: z.literal('read'), sequence: z.number().int().nonnegative() });

/** The most messages that one acknowledgement moves: earlier ones have moved the older messages. */
const MOVED_LIMIT = 100;

/** The sockets of one conversation: those who work in it, and its visitors (spec section 11), who are shown their own part of it. */
export class ConversationLive {
  readonly sessions: Sessions;
  readonly #aggregate: ConversationAggregate;
  readonly #host: LiveHost;
  /** By visitor and status: the highest sequence that it has acknowledged. */
  readonly #acknowledged = new Map<string, number>();

  constructor(ctx: DurableObjectState, env: Env, aggregate: ConversationAggregate, host: LiveHost) {
    this.#aggregate = aggregate;
    this.#host = host;
    this.sessions = new Sessions(ctx, {
      head: () => aggregate.conversation?.sequence ?? 0,
      framesAfter: (sequence, limit, view) => framesAfter(aggregate, sequence, limit, view),
      viewOf: ({ reader, dialect }) => (reader.kind === 'visitor' ? visitorView(reader.target) : dialect),
      mayRead: (reader) => mayRead(aggregate, reader),
      revoked: (readers) => revokedReaders(env, readers),
      command: (reader, frame) => this.#command(reader, frame),
      acknowledged: (reader, sequence) => this.#confirm(reader, 'delivered', sequence),
      rearm: () => host.rearm(),
    });
  }

  /** The upgrade of a live stream. The Worker has authenticated it and says so in SESSION_HEADER. */
  accept(request: Request): Response {
    const session = sessionRequestSchema.parse(JSON.parse(request.headers.get(SESSION_HEADER) ?? 'null'));
    const { reader } = session;
    const isOpen =
      reader.kind === 'visitor' ? mayVisit(this.#aggregate, reader) : this.#aggregate.find(reader.customerId).ok;
    return isOpen ? this.sessions.accept(session) : new Response(null, { status: 404 });
  }

  #command(reader: Reader, frame: unknown): unknown {
    const typing = typingSchema.safeParse(frame);
    if (typing.success) return this.#sendTyping(reader, typing.data.is_typing);
    const read = readSchema.safeParse(frame);
    if (read.success && reader.kind === 'visitor') return this.#confirm(reader, 'read', read.data.sequence);
    return errorFrame('expected {"type":"ack","sequence":N}, {"type":"typing","is_typing":true} or a visitor’s "read"');
  }

  /** A visitor has, or has read, everything up to a sequence of the log. */
  #confirm(reader: Reader, status: 'delivered' | 'read', sequence: number): null {
    if (reader.kind !== 'visitor') return null;
    const key = `${reader.target} ${status}`;
    // A repeat is no news, and finding that out from the messages costs something.
    if (sequence <= (this.#acknowledged.get(key) ?? 0)) return null;
    this.#acknowledged.set(key, sequence);
    const aggregate = this.#aggregate;
    if (!aggregate.conversation || !mayVisit(aggregate, reader)) return null;
    const at = aggregate.now();
    const events = aggregate.stored
      .messagesUnder(sequence + 1, MOVED_LIMIT)
      .filter(({ direction }) => direction === 'outgoing')
      .flatMap((message) => decideReached(message, reader.addressName, status, at, at));
    if (events.length === 0) return null;
    aggregate.commit({ at, events });
    this.#host.committed();
    return null;
  }

  /** Visitors see that somebody of the business types, and not who; people who work here see everybody but themselves. */
  #sendTyping(reader: Reader, is_typing: boolean): null {
    const sender = senderOf(reader);
    const isVisitor = (other: Reader): boolean => other.kind === 'visitor';
    const isSame = (other: Reader): boolean => senderOf(other).id === sender.id;
    this.sessions.sendEphemeral(
      { type: 'typing', data: { is_typing, sender } },
      (one) => isVisitor(one) || isSame(one),
    );
    if (!isVisitor(reader))
      this.sessions.sendEphemeral({ type: 'typing', data: { is_typing, name: '' } }, (one) => !isVisitor(one));
    return null;
  }
}

function senderOf(reader: Reader): { type: string; id: string } {
  if (reader.kind === 'agent') return { type: 'agent', id: reader.agentId };
  return reader.kind === 'visitor' ? { type: 'contact', id: reader.target } : { type: 'accesskey', id: reader.keyId };
}

/** An agent that reads as the owner reads for as long as it is the owner. */
const mayRead = (aggregate: ConversationAggregate, reader: Reader): boolean =>
  reader.kind === 'visitor'
    ? mayVisit(aggregate, reader)
    : hasRole(reader, 'manager-or-admin') || isOwner(reader, aggregate.conversation?.ownerId ?? null);

const addressOf = (target: string): ContactAddress => ({ type: 'chat', target });

/** Before its first message a visitor waits in a conversation that does not exist yet; after that it must be in it, and not merged away. */
function mayVisit(aggregate: ConversationAggregate, visitor: Visitor): boolean {
  const state = aggregate.conversation;
  if (!state) return true;
  const address = addressOf(visitor.target);
  const isOwn = state.customerId === visitor.customerId && state.deletedAt === null && state.mergedInto === null;
  return isOwn && !isReleased(state, address) && holderOf(state, address) !== null;
}

const VISITOR = 'visitor ';

/** Names what the log looks like to a visitor; everybody else has the view of a dialect. */
const visitorView = (target: string): string => `${VISITOR}${target}`;

function framesAfter(aggregate: ConversationAggregate, after: number, limit: number, view: string): Frame[] {
  const state = aggregate.conversation;
  if (!state) return [];
  const visitor = view.startsWith(VISITOR) ? addressOf(view.slice(VISITOR.length)) : null;
  const present = view === 'voicebip' ? presentStreamFrame : presentFrame;
  return aggregate.eventsAfter(after, limit).map((event) => {
    const frame = visitor ? visitorFrame(state, visitor, event) : present(event);
    return { sequence: event.sequence, text: JSON.stringify(frame) };
  });
}
