import { checkedOnEntry, CredentialWatch } from './credential-watch.ts';
import { FlushScheduler, frameChunks, type FrameSource } from './fan-out.ts';
import {
  ackFrameSchema,
  attachmentSchema,
  caughtUpFrame,
  CLOSE_RESTART,
  CLOSE_SLOW,
  CLOSE_TOO_BIG,
  CLOSE_UNAUTHORIZED,
  errorFrame,
  MAX_FRAME_BYTES,
  resyncFrame,
  STALL_MS,
  WINDOW,
  windowBytes,
  type Attachment,
  type Reader,
  type SessionRequest,
} from './protocol.ts';
import { close, parseFrame, send, sizeOf } from './socket.ts';
import type { Millis } from '../../domain/time.ts';

/** What sessions need of their object. */
export interface SessionHost extends FrameSource {
  head(): number;
  /** Whether the object lets the reader read; asked before every frame. */
  mayRead(reader: Reader): boolean;
  /** Those whose credential is no longer valid; asked for all sockets at once (credential-watch.ts). */
  revoked(readers: Reader[]): Promise<Set<Reader>>;
  /** A frame that is not an acknowledgement. @returns the answer to it; null for none. */
  command(reader: Reader, frame: unknown): unknown;
  /** The reader has acknowledged everything up to a sequence. */
  acknowledged?(reader: Reader, sequence: number): void;
  /** A socket has stalled: `nextStallAt` has changed. */
  rearm(): void;
}

/** What may be sent outside the log to a socket between two signs of life. Bytes. */
const EPHEMERAL_BYTES = 64 * 1024;

/** The hibernatable sockets of one object: they are accepted, get the log from their cursor on, follow it live, and are closed when they may not or do not read. */
export class Sessions {
  readonly #ctx: DurableObjectState;
  readonly #host: SessionHost;
  readonly #live = new Map<WebSocket, LiveReader>();
  readonly #credentials: CredentialWatch;
  readonly #flushes = new FlushScheduler();
  #isFlushDue = false;

  constructor(ctx: DurableObjectState, host: SessionHost) {
    this.#ctx = ctx;
    this.#host = host;
    this.#credentials = new CredentialWatch(ctx, {
      held: () => this.#live,
      revoked: (readers) => host.revoked(readers),
      cut: (socket, code, reason) => this.#cut(socket, code, reason),
      checked: () => this.#flush(),
    });
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
  }

  /** Called before the first commit of this life of the object: a live socket had everything up to the head as it is now. */
  wake(): void {
    const head = this.#host.head();
    for (const socket of this.#ctx.getWebSockets()) {
      const attachment = attachmentSchema.safeParse(socket.deserializeAttachment());
      if (attachment.success) this.#live.set(socket, wokenReader(attachment.data, head));
      else close(socket, CLOSE_RESTART, 'come back');
    }
  }

  /** `greeting`: a frame outside the log that comes first, or null. */
  accept(request: SessionRequest, greeting: unknown = null): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    this.#ctx.acceptWebSocket(server);
    const head = this.#host.head();
    const fromFuture = request.after !== null && request.after > head;
    const live = newReader(request, fromFuture ? head : (request.after ?? head), checkedOnEntry());
    this.#live.set(server, live);
    this.#save(server, live, behindOf(live));
    if (greeting !== null) sendFrame(server, live, greeting);
    if (fromFuture) sendFrame(server, live, resyncFrame(head));
    this.#flushTo(server, live, frameChunks(this.#host));
    return new Response(null, { status: 101, webSocket: client });
  }

  /** Who reads, once for each open socket. */
  readers(): Reader[] {
    return [...this.#live.values()].map(({ reader }) => reader);
  }

  /** After a commit: everyone who is not behind gets the new events, at once or together with what follows (fan-out.ts). */
  broadcast(): void {
    if (this.#isFlushDue) return;
    const wait = this.#flushes.wait(this.#live.size, Date.now());
    if (wait <= 0) return this.#flush();
    this.#isFlushDue = true;
    // The object must not be evicted while this waits: live sockets would count as having everything.
    this.#ctx.waitUntil(scheduler.wait(wait).then(() => this.#flush()));
  }

  /** A frame outside the log (typing, presence): to the sockets that are up to date now, but for `except`. */
  sendEphemeral(frame: unknown, except: (reader: Reader) => boolean = () => false): void {
    const stale = [...this.#live.values()].some((live) => !this.#credentials.isFresh(live));
    const text = JSON.stringify(frame);
    const sendToAll = (): void => {
      for (const [socket, live] of this.#live) {
        if (live.caughtUp && !except(live.reader) && this.#isAllowed(socket, live))
          this.#sendEphemeralTo(socket, live, text);
      }
    };
    if (stale) this.#ctx.waitUntil(this.#credentials.check().then(sendToAll));
    else sendToAll();
  }

  /** No window limits such frames, so a socket that shows no sign of life gets a few of them and no more. */
  #sendEphemeralTo(socket: WebSocket, live: LiveReader, text: string): void {
    if (live.ephemeralBytes > EPHEMERAL_BYTES) {
      const pinged = this.#ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0;
      if (pinged <= live.heardAt) return;
      heard(live, pinged);
    }
    live.ephemeralBytes += text.length;
    send(socket, live.batch ? `[${text}]` : text);
  }

  /** A frame of the client. A bad one is answered, and the socket stays open. */
  async message(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    if (sizeOf(data) > MAX_FRAME_BYTES) return this.#cut(socket, CLOSE_TOO_BIG, 'frame above 64 KB');
    const held = this.#live.get(socket);
    if (held && !this.#credentials.isFresh(held)) await this.#credentials.check();
    // It may have been closed in the meantime.
    const live = this.#live.get(socket);
    if (!live) return;
    heard(live, Date.now());
    const frame = parseFrame(data);
    if (frame === undefined) return sendFrame(socket, live, errorFrame('expected a JSON frame'));
    const ack = isAck(frame) ? ackFrameSchema.safeParse(frame) : null;
    if (!ack?.success) {
      this.#flushes.wrote(socket, Date.now());
      const answer = this.#host.command(live.reader, frame);
      return answer === null ? undefined : sendFrame(socket, live, answer);
    }
    acknowledged(live, ack.data.sequence);
    this.#host.acknowledged?.(live.reader, live.acked);
    this.#flushTo(socket, live, frameChunks(this.#host));
  }

  /** A socket has been closed. @returns who read there, also when it was closed here or while the object was evicted. */
  gone(socket: WebSocket): Reader | null {
    this.#live.delete(socket);
    const attachment = attachmentSchema.safeParse(socket.deserializeAttachment());
    return attachment.success ? attachment.data.reader : null;
  }

  /** Closes the sockets that have kept the window full for too long. */
  dropStalled(now: Millis): void {
    for (const [socket, { stalledAt }] of this.#live) {
      if (stalledAt !== null && now - stalledAt >= STALL_MS)
        this.#cut(socket, CLOSE_SLOW, 'too slow: come back with ?after=');
    }
  }

  /** When `dropStalled` has something to do, or null. */
  nextStallAt(): Millis | null {
    let first = Infinity;
    for (const { stalledAt } of this.#live.values()) if (stalledAt !== null && stalledAt < first) first = stalledAt;
    return first === Infinity ? null : first + STALL_MS;
  }

  #flush(): void {
    this.#isFlushDue = false;
    const chunkOf = frameChunks(this.#host);
    for (const socket of this.#flushes.begin(Date.now())) {
      const live = this.#live.get(socket);
      if (live) this.#flushTo(socket, live, chunkOf);
    }
    for (const [socket, live] of this.#live) this.#flushTo(socket, live, chunkOf);
  }

  /** Sends what the window allows, and `caught_up` once the reader has everything. */
  #flushTo(socket: WebSocket, live: LiveReader, chunkOf: ReturnType<typeof frameChunks>): void {
    if (!this.#isAllowed(socket, live)) return;
    const head = this.#host.head();
    while (live.cursor < head) {
      const budget = budgetOf(live, windowBytes(this.#live.size));
      if (budget.events === 0 || budget.bytes <= 0) return this.#stall(socket, live);
      const { sequence, texts, bytes } = chunkOf(live, budget.events);
      texts.forEach((text) => send(socket, text));
      sent(live, sequence, bytes);
    }
    if (live.caughtUp) return;
    live.caughtUp = true;
    sendFrame(socket, live, caughtUpFrame(live.cursor));
    this.#save(socket, live, null);
  }

  #stall(socket: WebSocket, live: LiveReader): void {
    live.stalledAt ??= Date.now();
    live.caughtUp = false;
    this.#save(socket, live, behindOf(live));
    this.#host.rearm();
  }

  /** Checked before every frame: the right to read by the object, the credential by the directory. */
  #isAllowed(socket: WebSocket, live: LiveReader): boolean {
    if (!this.#host.mayRead(live.reader)) {
      this.#cut(socket, CLOSE_UNAUTHORIZED, 'no longer yours to read');
      return false;
    }
    return this.#credentials.isFresh(live);
  }

  #save(socket: WebSocket, { reader, batch, dialect }: LiveReader, behind: Attachment['behind']): void {
    socket.serializeAttachment({ v: 2, reader, batch, dialect, behind } satisfies Attachment);
  }

  #cut(socket: WebSocket, code: number, reason: string): void {
    this.#live.delete(socket);
    close(socket, code, reason);
  }
}

/** Asked before the schema: zod takes longer to refuse a frame than to accept one. */
const isAck = (frame: unknown): boolean =>
  typeof frame === 'object' && frame !== null && 'type' in frame && frame.type === 'ack';

/** A frame that is not an event of the log. */
function sendFrame(socket: WebSocket, { batch }: LiveReader, frame: unknown): void {
  const text = JSON.stringify(frame);
  send(socket, batch ? `[${text}]` : text);
}

/** One open socket, in memory: who reads, how much of the log it was sent, and how much it has acknowledged. */
interface LiveReader {
  reader: Reader;
  batch: boolean;
  dialect: Attachment['dialect'];
  cursor: number;
  acked: number;
  /** What was sent and not acknowledged, oldest first: one entry for each chunk. */
  underWay: { sequence: number; bytes: number }[];
  bytes: number;
  /** Since when the window is full, or null. */
  stalledAt: Millis | null;
  caughtUp: boolean;
  /** How much it was sent outside the log since its last sign of life, and when that was. */
  ephemeralBytes: number;
  heardAt: Millis;
  /** When its credential was last found good. */
  checkedAt: Millis;
}

type Who = Pick<LiveReader, 'reader' | 'batch' | 'dialect'>;

const newReader = ({ reader, batch, dialect }: Who, cursor: number, checkedAt: Millis): LiveReader => ({
  reader,
  batch,
  dialect,
  cursor,
  acked: cursor,
  underWay: [],
  bytes: 0,
  stalledAt: null,
  caughtUp: false,
  ephemeralBytes: 0,
  heardAt: 0,
  checkedAt,
});

/**
 * A reader after an eviction of its object. One that was live has everything up to `head`, which is the log's head before anything new;
 * one that was behind goes on where it was, and what it had not acknowledged then still counts.
 */
function wokenReader(attachment: Attachment, head: number): LiveReader {
  const { behind } = attachment;
  if (!behind) return { ...newReader(attachment, head, 0), caughtUp: true };
  return { ...newReader(attachment, behind.cursor, 0), acked: behind.acked, stalledAt: behind.stalledAt };
}

/** How much more may be sent now to a reader with a window of `bytes`. */
const budgetOf = (live: LiveReader, bytes: number): SendBudget => ({
  events: Math.max(0, WINDOW - (live.cursor - live.acked)),
  bytes: bytes - live.bytes,
});

interface SendBudget {
  events: number;
  bytes: number;
}

function sent(live: LiveReader, sequence: number, bytes: number): void {
  live.cursor = sequence;
  live.bytes += bytes;
  live.underWay.push({ sequence, bytes });
}

function acknowledged(live: LiveReader, sequence: number): void {
  live.acked = Math.min(Math.max(live.acked, sequence), live.cursor);
  const open = live.underWay.findIndex((chunk) => chunk.sequence > live.acked);
  const done = live.underWay.splice(0, open === -1 ? live.underWay.length : open);
  live.bytes -= done.reduce((sum, chunk) => sum + chunk.bytes, 0);
  live.stalledAt = null;
}

/** Any frame of its own shows that it reads. */
function heard(live: LiveReader, now: Millis): void {
  live.ephemeralBytes = 0;
  live.heardAt = now;
}

/** What must outlive an eviction. */
const behindOf = ({ cursor, acked, stalledAt }: LiveReader): NonNullable<Attachment['behind']> => ({
  cursor,
  acked,
  stalledAt,
});
