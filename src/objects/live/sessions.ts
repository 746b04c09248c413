import { checkedOnEntry, CredentialWatch } from './credential-watch.ts';
import { FlushScheduler, frameChunks, type FrameSource } from './fan-out.ts';
import { acknowledged, behindOf, heard, newReader, budgetOf, sent, wokenReader, type LiveReader } from './readers.ts';
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
  /** What the object itself knows of the reader's right to read; asked before every frame. */
  mayRead(reader: Reader): boolean;
  /** Those whose credential no longer stands; asked for all sockets at once (credential-watch.ts). */
  revoked(readers: Reader[]): Promise<Set<Reader>>;
  /** A frame that is not an acknowledgement. @returns the answer to it; null for none. */
  command(reader: Reader, frame: unknown): unknown;
  /** The reader says that it has everything up to there. */
  acknowledged?(reader: Reader, sequence: number): void;
  /** A socket has stalled: `nextStallAt` has changed. */
  rearm(): void;
}

/** What may be sent outside the log to a socket between two signs of life. */
const EPHEMERAL_BYTES = 64 * 1024;

/** The hibernatable sockets of one object: accept, replay, follow, cut off. */
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

  /** Before the first commit of this life of the object: a live socket had everything up to the head as it is now. */
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
    if (greeting !== null) tell(server, live, greeting);
    if (fromFuture) tell(server, live, resyncFrame(head));
    this.#flushTo(server, live, frameChunks(this.#host));
    return new Response(null, { status: 101, webSocket: client });
  }

  /** Who reads, once for each open socket. */
  readers(): Reader[] {
    return [...this.#live.values()].map(({ reader }) => reader);
  }

  /** After a commit: everyone who is not behind gets what is new, at once or together with what follows (fan-out.ts). */
  broadcast(): void {
    if (this.#isFlushDue) return;
    const wait = this.#flushes.wait(this.#live.size, Date.now());
    if (wait <= 0) return this.#flush();
    this.#isFlushDue = true;
    // An object is not put to sleep while this waits: whoever is live would count as having had it all.
    this.#ctx.waitUntil(scheduler.wait(wait).then(() => this.#flush()));
  }

  /** A frame outside the log (typing, presence): to those who are there now and up to date, but for `except`. */
  sendEphemeral(frame: unknown, except: (reader: Reader) => boolean = () => false): void {
    const stale = [...this.#live.values()].some((live) => !this.#credentials.isFresh(live));
    const text = JSON.stringify(frame);
    const tellAll = (): void => {
      for (const [socket, live] of this.#live) {
        if (live.caughtUp && !except(live.reader) && this.#isAllowed(socket, live))
          this.#sendEphemeralTo(socket, live, text);
      }
    };
    if (stale) this.#ctx.waitUntil(this.#credentials.check().then(tellAll));
    else tellAll();
  }

  /** No window holds such frames back, so a socket that shows no sign of life gets a few of them and no more. */
  #sendEphemeralTo(socket: WebSocket, live: LiveReader, text: string): void {
    if (live.ephemeralBytes > EPHEMERAL_BYTES) {
      const pinged = this.#ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0;
      if (pinged <= live.heardAt) return;
      heard(live, pinged);
    }
    live.ephemeralBytes += text.length;
    send(socket, live.batch ? `[${text}]` : text);
  }

  /** A frame of the client. A bad one is answered and the socket stays open; the fault is the frame's alone. */
  async message(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    if (sizeOf(data) > MAX_FRAME_BYTES) return this.#cut(socket, CLOSE_TOO_BIG, 'frame above 64 KB');
    const held = this.#live.get(socket);
    if (held && !this.#credentials.isFresh(held)) await this.#credentials.check();
    // It may have been cut off meanwhile.
    const live = this.#live.get(socket);
    if (!live) return;
    heard(live, Date.now());
    const frame = parseFrame(data);
    if (frame === undefined) return tell(socket, live, errorFrame('expected a frame of JSON'));
    const ack = isAck(frame) ? ackFrameSchema.safeParse(frame) : null;
    if (!ack?.success) {
      this.#flushes.wrote(socket, Date.now());
      const answer = this.#host.command(live.reader, frame);
      return answer === null ? undefined : tell(socket, live, answer);
    }
    acknowledged(live, ack.data.sequence);
    this.#host.acknowledged?.(live.reader, live.acked);
    this.#flushTo(socket, live, frameChunks(this.#host));
  }

  /** @returns who read there, also when it was cut off here, or closed while the object slept. */
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

  /** Sends what the window lets through, then says so once the reader has everything. */
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
    tell(socket, live, caughtUpFrame(live.cursor));
    this.#save(socket, live, null);
  }

  #stall(socket: WebSocket, live: LiveReader): void {
    live.stalledAt ??= Date.now();
    live.caughtUp = false;
    this.#save(socket, live, behindOf(live));
    this.#host.rearm();
  }

  /** Who may not read gets nothing more. The credential is looked at while frames go out, and not while nothing does. */
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

/** Looked at first: to find out that a frame does not fit a schema costs more than to find out that it does. */
const isAck = (frame: unknown): boolean =>
  typeof frame === 'object' && frame !== null && 'type' in frame && frame.type === 'ack';

/** A frame that is none of the log's. */
function tell(socket: WebSocket, { batch }: LiveReader, frame: unknown): void {
  const text = JSON.stringify(frame);
  send(socket, batch ? `[${text}]` : text);
}
