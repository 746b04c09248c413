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
  WINDOW,
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
  /** Whether the reader may still read; asked at most every CHECK_MS for each socket. */
  authorize(reader: Reader): Promise<boolean>;
}

interface Live {
  cursor: number;
  acked: number;
  /** Since when the window is full, or null. */
  stalledAt: Millis | null;
  checkedAt: Millis;
  checking: boolean;
  caughtUp: boolean;
}

const PAGE = 100;
const CHECK_MS = 3000;

/** The hibernatable sockets of one object: accept, replay, follow, cut off. */
export class Sessions {
  readonly #ctx: DurableObjectState;
  readonly #host: SessionHost;
  readonly #live = new Map<WebSocket, Live>();

  constructor(ctx: DurableObjectState, host: SessionHost) {
    this.#ctx = ctx;
    this.#host = host;
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
  }

  accept(request: SessionRequest): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    this.#ctx.acceptWebSocket(server);
    const head = this.#host.head();
    const fromFuture = request.after !== null && request.after > head;
    if (fromFuture) server.send(JSON.stringify(resyncFrame(head)));
    const cursor = fromFuture ? head : (request.after ?? head);
    this.#attach(server, { v: 1, reader: request.reader, cursor });
    this.#live.set(server, {
      cursor,
      acked: cursor,
      stalledAt: null,
      checkedAt: Date.now(),
      checking: false,
      caughtUp: false,
    });
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
    if (size(data) > MAX_FRAME_BYTES) return close(socket, CLOSE_TOO_BIG, 'frame above 64 KB');
    const frame = typeof data === 'string' ? parseFrame(data) : null;
    if (!frame) return send(socket, JSON.stringify(errorFrame('expected {"type":"ack","sequence":N}')));
    const live = this.#of(socket);
    if (!live) return;
    live.acked = Math.min(Math.max(live.acked, frame.sequence), live.cursor);
    live.stalledAt = null;
    this.#pump(socket);
  }

  gone(socket: WebSocket): void {
    this.#live.delete(socket);
  }

  /** Closes the sockets that have kept the window full for too long. */
  dropStalled(now: Millis): void {
    for (const socket of this.#sockets()) {
      const stalledAt = this.#of(socket)?.stalledAt ?? null;
      if (stalledAt !== null && now - stalledAt >= STALL_MS)
        close(socket, CLOSE_SLOW, 'too slow: come back with ?after=');
    }
  }

  /** When `dropStalled` has something to do, or null. */
  nextStallAt(): Millis | null {
    const times = [...this.#live.values()].flatMap(({ stalledAt }) =>
      stalledAt === null ? [] : [stalledAt + STALL_MS],
    );
    return times.length === 0 ? null : Math.min(...times);
  }

  /** Sends what the window lets through, then says so once the reader has everything. */
  #pump(socket: WebSocket, framesAfter = this.#host.framesAfter.bind(this.#host)): void {
    const live = this.#of(socket);
    if (!live || !this.#isChecked(socket, live)) return;
    while (live.cursor < this.#host.head()) {
      const room = WINDOW - (live.cursor - live.acked);
      if (room <= 0) return this.#stall(socket, live);
      for (const frame of framesAfter(live.cursor, Math.min(PAGE, room))) {
        send(socket, frame.text);
        live.cursor = frame.sequence;
      }
    }
    if (live.caughtUp) return;
    live.caughtUp = true;
    send(socket, JSON.stringify(caughtUpFrame(live.cursor)));
    this.#saveCursor(socket, null);
  }

  #stall(socket: WebSocket, live: Live): void {
    live.stalledAt ??= Date.now();
    live.caughtUp = false;
    this.#saveCursor(socket, live.cursor);
  }

  /** A reader whose credential ended gets nothing more; the question is asked before a frame goes out, and not while nothing does. */
  #isChecked(socket: WebSocket, live: Live): boolean {
    if (Date.now() - live.checkedAt < CHECK_MS) return true;
    const attachment = this.#attachment(socket);
    if (!attachment || live.checking) return false;
    live.checking = true;
    this.#ctx.waitUntil(this.#check(socket, live, attachment.reader));
    return false;
  }

  async #check(socket: WebSocket, live: Live, reader: Reader): Promise<void> {
    const allowed = await this.#host.authorize(reader).catch(() => true);
    live.checking = false;
    live.checkedAt = Date.now();
    if (allowed) this.#pump(socket);
    else close(socket, CLOSE_UNAUTHORIZED, 'the credential is no longer valid');
  }

  #of(socket: WebSocket): Live | null {
    const known = this.#live.get(socket);
    if (known) return known;
    const attachment = this.#attachment(socket);
    if (!attachment) return null;
    const cursor = attachment.cursor ?? this.#headAtWake;
    const live = {
      cursor,
      acked: cursor,
      stalledAt: null,
      checkedAt: 0,
      checking: false,
      caughtUp: attachment.cursor === null,
    };
    this.#live.set(socket, live);
    return live;
  }

  /** Taken before the first commit of this life of the object: a live socket had everything up to here. */
  #headAtWake = 0;

  wake(): void {
    this.#headAtWake = this.#host.head();
  }

  #sockets(): WebSocket[] {
    return this.#ctx.getWebSockets().filter((socket) => socket.readyState === WebSocket.OPEN);
  }

  #attachment(socket: WebSocket): Attachment | null {
    const parsed = attachmentSchema.safeParse(socket.deserializeAttachment());
    return parsed.success ? parsed.data : null;
  }

  #attach(socket: WebSocket, attachment: Attachment): void {
    socket.serializeAttachment(attachment);
  }

  #saveCursor(socket: WebSocket, cursor: number | null): void {
    const attachment = this.#attachment(socket);
    if (attachment && attachment.cursor !== cursor) this.#attach(socket, { ...attachment, cursor });
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
