import { acknowledged, behindOf, newReader, roomOf, sent, wokenReader, type LiveReader } from './live-reader.ts';
import {
  attachmentSchema,
  caughtUpFrame,
  CLOSE_SLOW,
  CLOSE_TOO_BIG,
  CLOSE_UNAUTHORIZED,
  errorFrame,
  MAX_FRAME_BYTES,
  readerFrameSchema,
  resyncFrame,
  STALL_MS,
  type Attachment,
  type Reader,
  type SessionRequest,
} from './session-protocol.ts';
import type { Millis } from '../domain/time.ts';

export interface Frame {
  sequence: number;
  text: string;
}

/** What sessions need of their object. */
export interface SessionHost {
  head(): number;
  /** The frames after a sequence, at most `limit`. */
  framesAfter(sequence: number, limit: number): Frame[];
  /** What the object itself knows of the reader's right to read; asked before every frame. */
  mayRead(reader: Reader): boolean;
  /** Whether its credential still stands; asked at most every CHECK_MS for each socket. */
  isCredentialValid(reader: Reader): Promise<boolean>;
  /** A socket has stalled: `nextStallAt` has changed. */
  rearm(): void;
}

const PAGE = 100;
/** With the directory's own 3 s (storage/cache.ts) below the 5 s of spec section 2. */
const CHECK_MS = 1500;

/** The hibernatable sockets of one object: accept, replay, follow, cut off. */
export class Sessions {
  readonly #ctx: DurableObjectState;
  readonly #host: SessionHost;
  readonly #live = new Map<WebSocket, LiveReader>();
  /** Taken before the first commit of this life of the object: a live socket had everything up to here. */
  #headAtWake = 0;

  constructor(ctx: DurableObjectState, host: SessionHost) {
    this.#ctx = ctx;
    this.#host = host;
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
  }

  wake(): void {
    this.#headAtWake = this.#host.head();
  }

  accept(request: SessionRequest): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    this.#ctx.acceptWebSocket(server);
    const head = this.#host.head();
    const fromFuture = request.after !== null && request.after > head;
    if (fromFuture) send(server, JSON.stringify(resyncFrame(head)));
    const live = newReader(fromFuture ? head : (request.after ?? head), Date.now());
    server.serializeAttachment({ v: 1, reader: request.reader, behind: behindOf(live) } satisfies Attachment);
    this.#live.set(server, live);
    this.#pump(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  /** After a commit: everyone who is not behind gets what is new, rendered once for all who read at the same place. */
  broadcast(): void {
    const rendered = new Map<string, Frame[]>();
    const frames = (after: number, limit: number): Frame[] => {
      const key = `${after} ${limit}`;
      const known = rendered.get(key) ?? this.#host.framesAfter(after, limit);
      rendered.set(key, known);
      return known;
    };
    for (const socket of this.#sockets()) this.#pump(socket, frames);
  }

  /** A frame of the client. A bad one is answered and the socket stays open; the fault is the frame's alone. */
  message(socket: WebSocket, data: string | ArrayBuffer): void {
    if (size(data) > MAX_FRAME_BYTES) return this.#cut(socket, CLOSE_TOO_BIG, 'frame above 64 KB');
    const frame = typeof data === 'string' ? parseFrame(data) : null;
    if (!frame) return send(socket, JSON.stringify(errorFrame('expected {"type":"ack","sequence":N}')));
    const live = this.#of(socket);
    if (!live) return;
    acknowledged(live, frame.sequence);
    this.#pump(socket);
  }

  gone(socket: WebSocket): void {
    this.#live.delete(socket);
  }

  /** Closes the sockets that have kept the window full for too long. */
  dropStalled(now: Millis): void {
    for (const socket of this.#sockets()) {
      const stalledAt = this.#of(socket)?.stalledAt ?? null;
      if (stalledAt !== null && now - stalledAt >= STALL_MS) {
        this.#cut(socket, CLOSE_SLOW, 'too slow: come back with ?after=');
      }
    }
  }

  /** When `dropStalled` has something to do, or null. */
  nextStallAt(): Millis | null {
    const stalled = this.#sockets().flatMap((socket) => this.#of(socket)?.stalledAt ?? []);
    return stalled.length === 0 ? null : Math.min(...stalled) + STALL_MS;
  }

  /** Sends what the window lets through, then says so once the reader has everything. */
  #pump(socket: WebSocket, framesAfter = this.#host.framesAfter.bind(this.#host)): void {
    const live = this.#of(socket);
    if (!live || !this.#isAllowed(socket, live)) return;
    while (live.cursor < this.#host.head()) {
      const room = roomOf(live);
      if (room === 0) return this.#stall(socket, live);
      for (const { sequence, text } of framesAfter(live.cursor, Math.min(PAGE, room))) {
        send(socket, text);
        sent(live, sequence, text.length);
      }
    }
    if (live.caughtUp) return;
    live.caughtUp = true;
    send(socket, JSON.stringify(caughtUpFrame(live.cursor)));
    this.#save(socket, null);
  }

  #stall(socket: WebSocket, live: LiveReader): void {
    live.stalledAt ??= Date.now();
    live.caughtUp = false;
    this.#save(socket, behindOf(live));
    this.#host.rearm();
  }

  /** Who may not read gets nothing more. The credential is looked at before a frame goes out, and not while nothing does. */
  #isAllowed(socket: WebSocket, live: LiveReader): boolean {
    const attachment = this.#attachment(socket);
    if (!attachment || live.checking) return false;
    if (!this.#host.mayRead(attachment.reader)) {
      this.#cut(socket, CLOSE_UNAUTHORIZED, 'the conversation is no longer yours');
      return false;
    }
    if (Date.now() - live.checkedAt < CHECK_MS) return true;
    live.checking = true;
    this.#ctx.waitUntil(this.#check(socket, live, attachment.reader));
    return false;
  }

  async #check(socket: WebSocket, live: LiveReader, reader: Reader): Promise<void> {
    // While nobody can say, nothing can have been revoked either.
    const valid = await this.#host.isCredentialValid(reader).catch(() => true);
    live.checking = false;
    live.checkedAt = Date.now();
    if (valid) this.#pump(socket);
    else this.#cut(socket, CLOSE_UNAUTHORIZED, 'the credential is no longer valid');
  }

  #of(socket: WebSocket): LiveReader | null {
    const known = this.#live.get(socket);
    if (known) return known;
    const attachment = this.#attachment(socket);
    if (!attachment) return null;
    const live = wokenReader(attachment, this.#headAtWake);
    this.#live.set(socket, live);
    return live;
  }

  #sockets(): WebSocket[] {
    return this.#ctx.getWebSockets().filter((socket) => socket.readyState === WebSocket.OPEN);
  }

  #attachment(socket: WebSocket): Attachment | null {
    const parsed = attachmentSchema.safeParse(socket.deserializeAttachment());
    return parsed.success ? parsed.data : null;
  }

  #save(socket: WebSocket, behind: Attachment['behind']): void {
    const attachment = this.#attachment(socket);
    if (attachment) socket.serializeAttachment({ ...attachment, behind });
  }

  #cut(socket: WebSocket, code: number, reason: string): void {
    this.#live.delete(socket);
    close(socket, code, reason);
  }
}

const size = (data: string | ArrayBuffer): number => (typeof data === 'string' ? data.length : data.byteLength);

function parseFrame(text: string) {
  try {
    return readerFrameSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** A socket may close between two lines: sending to it is then nobody's error. */
function send(socket: WebSocket, text: string): void {
  try {
    socket.send(text);
  } catch {
    close(socket, 1011, 'send failed');
  }
}

function close(socket: WebSocket, code: number, reason: string): void {
  try {
    socket.close(code, reason);
  } catch {
    // Closed already.
  }
}
