import { z } from 'zod';
import type { ConversationAggregate } from './aggregate.ts';
import { mayVisit, reached, visitorFrames, type Visitor } from './visitors.ts';
import { errorFrame, SESSION_HEADER, sessionRequestSchema, type Reader } from '../live/protocol.ts';
import { Sessions } from '../live/sessions.ts';
import { presentStreamFrame } from '../../dialects/voicebip/stream.ts';
import { presentFrame } from '../../dialects/voipbin/events.ts';
import type { ConversationEvent } from '../../domain/conversation/events.ts';
import { fromLogRow } from '../../domain/conversation/log-row.ts';
import { hasRole, isOwner } from '../../domain/permissions.ts';
import { revokedReaders } from '../../storage/readers.ts';

/** What the sockets need of their object. */
interface LiveHost {
  rearm(): void;
  /** A socket's word has made a commit. */
  committed(): void;
}

/** Before the target of a visitor, in the name of its view of the log. */
const VISITOR = 'visitor ';

const typingSchema = z.object({ type: z.literal('typing'), is_typing: z.boolean() });
const readSchema = z.object({ type: z.literal('read'), sequence: z.number().int().nonnegative() });

/** The sockets of one conversation: those who work in it, and its visitors (spec section 11), who are shown what is theirs. */
export class ConversationLive {
  readonly sessions: Sessions;
  readonly #aggregate: ConversationAggregate;
  readonly #host: LiveHost;
  /** By visitor and status: how far it has said that it got. */
  readonly #reachedAt = new Map<string, number>();

  constructor(ctx: DurableObjectState, env: Env, aggregate: ConversationAggregate, host: LiveHost) {
    this.#aggregate = aggregate;
    this.#host = host;
    this.sessions = new Sessions(ctx, {
      head: () => aggregate.store.record()?.conversation.sequence ?? 0,
      framesAfter: (sequence, limit, view) =>
        view.startsWith(VISITOR)
          ? visitorFrames(aggregate, view.slice(VISITOR.length), sequence, limit)
          : framesAfter(aggregate, sequence, limit, view === 'voicebip' ? presentStreamFrame : presentFrame),
      viewOf: ({ reader, dialect }) => (reader.kind === 'visitor' ? `${VISITOR}${reader.target}` : dialect),
      mayRead: (reader) => mayRead(aggregate, reader),
      revoked: (readers) => revokedReaders(env, readers),
      command: (reader, frame) => this.#command(reader, frame),
      acknowledged: (reader, sequence) => this.#reached(reader, 'delivered', sequence),
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
    if (typing.success) return this.#tellTyping(reader, typing.data.is_typing);
    const read = readSchema.safeParse(frame);
    if (read.success && reader.kind === 'visitor') return this.#reached(reader, 'read', read.data.sequence);
    return errorFrame('expected {"type":"ack","sequence":N}, {"type":"typing","is_typing":true} or a visitor’s "read"');
  }

  #reached(reader: Reader, status: 'delivered' | 'read', sequence: number): null {
    const key = reader.kind === 'visitor' ? `${reader.target} ${status}` : '';
    // Said again it is no news, and looking for news costs something.
    if (reader.kind !== 'visitor' || sequence <= (this.#reachedAt.get(key) ?? 0)) return null;
    this.#reachedAt.set(key, sequence);
    if (reached(this.#aggregate, reader, status, sequence)) this.#host.committed();
    return null;
  }

  /** Visitors hear of those who work here, and these of the visitors, and of each other. */
  #tellTyping(reader: Reader, is_typing: boolean): null {
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
    ? mayVisit(aggregate, reader satisfies Visitor)
    : hasRole(reader, 'manager-or-admin') || isOwner(reader, aggregate.store.record()?.conversation.ownerId ?? null);

const framesAfter = (
  aggregate: ConversationAggregate,
  after: number,
  limit: number,
  present: (event: ConversationEvent) => unknown,
): { sequence: number; text: string }[] =>
  aggregate.log.after(after, limit).map((row) => {
    const message = row.messageId === null ? null : aggregate.store.message(row.messageId);
    return { sequence: row.sequence, text: JSON.stringify(present(fromLogRow(row, message))) };
  });
