import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/**
 * Only as much of a WebSocket client as the bench needs. It shares two cores with what it measures, and a library's client takes
 * several times as long for a frame: a buffer for every read, a copy and an event object for every message.
 */
export interface RawSocket {
  send(text: string): void;
  close(): Promise<void>;
}

export interface Handlers {
  /** Of a text frame. The bytes are good only during the call. */
  frame(payload: Buffer): void;
  /** The other side closed it, or said something that is no text frame. */
  lost(why: string): void;
}

/** All sockets read into it: a chunk is taken apart before the next one is read. */
const CHUNK = Buffer.alloc(256 * 1024);
const NOTHING = Buffer.alloc(0);
/** A whole text frame, and nothing else: workerd never sends a message in parts. */
const TEXT = 0x81;
const CLOSE = 0x88;
/** Clients must mask what they send; with a mask of zeros that is nothing to do. */
const MASKED = 0x80;
const MASK_BYTES = 4;
const CLOSE_TIMEOUT_MS = 2000;

export async function openSocket(url: URL, headers: Record<string, string>, handlers: Handlers): Promise<RawSocket> {
  const socket = new ClientSocket(url, handlers);
  await socket.upgrade(url, headers);
  return socket;
}

class ClientSocket implements RawSocket {
  readonly #socket: Socket;
  readonly #handlers: Handlers;
  readonly #opened = Promise.withResolvers<void>();
  #isOpen = false;
  #isClosing = false;
  /** What came and is not yet whole. */
  #rest: Buffer = NOTHING;

  constructor({ hostname, port }: URL, handlers: Handlers) {
    this.#handlers = handlers;
    const callback = (length: number): boolean => {
      this.#take(CHUNK.subarray(0, length));
      return true;
    };
    this.#socket = connect({ host: hostname, port: Number(port), noDelay: true, onread: { buffer: CHUNK, callback } });
    this.#socket.on('error', (error) => this.#lose(error.message));
    this.#socket.on('close', () => this.#lose('the connection ended'));
  }

  upgrade({ pathname, search, host }: URL, headers: Record<string, string>): Promise<void> {
    const all = {
      Host: host,
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': Buffer.alloc(16).toString('base64'),
      ...headers,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    this.#socket.write(`GET ${pathname}${search} HTTP/1.1\r\n${lines.join('')}\r\n`);
    return this.#opened.promise;
  }

  send(text: string): void {
    this.#socket.write(clientFrame(TEXT, Buffer.from(text)));
  }

  async close(): Promise<void> {
    if (this.#socket.destroyed) return;
    this.#isClosing = true;
    const closed = once(this.#socket, 'close');
    this.#socket.write(clientFrame(CLOSE, Buffer.from([0x03, 0xe8])));
    const late = setTimeout(() => this.#socket.destroy(), CLOSE_TIMEOUT_MS);
    await closed;
    clearTimeout(late);
  }

  #take(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const done = this.#isOpen ? this.#takeFrames(bytes, 0) : this.#takeAnswer(bytes);
    this.#rest = done === bytes.length ? NOTHING : Buffer.from(bytes.subarray(done));
  }

  #takeAnswer(bytes: Buffer): number {
    const end = bytes.indexOf('\r\n\r\n');
    if (end === -1) return 0;
    const answer = bytes.toString('latin1', 0, end);
    this.#isOpen = answer.startsWith('HTTP/1.1 101 ');
    if (!this.#isOpen) {
      this.#lose(`no upgrade: ${bytes.toString()}`);
      return bytes.length;
    }
    this.#opened.resolve();
    return this.#takeFrames(bytes, end + 4);
  }

  /** @returns how far the bytes were whole frames. */
  #takeFrames(bytes: Buffer, from: number): number {
    let at = from;
    for (let frame = frameAt(bytes, at); frame && frame.end <= bytes.length; frame = frameAt(bytes, at)) {
      const payload = bytes.subarray(frame.start, frame.end);
      if (frame.head === TEXT) this.#handlers.frame(payload);
      else this.#end(frame.head, payload);
      at = frame.end;
    }
    return at;
  }

  #end(head: number, payload: Buffer): void {
    if (head === CLOSE) this.#lose(`closed with ${payload.readUInt16BE(0)} ${payload.toString('utf8', 2)}`);
    else this.#lose(`a frame that begins with ${head}`);
    this.#socket.end();
  }

  #lose(why: string): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    if (this.#isOpen) this.#handlers.lost(why);
    else this.#opened.reject(new Error(why));
    this.#socket.destroy();
  }
}

/** Where the frame's payload is; null while its header is not there. What a server sends is not masked. */
function frameAt(bytes: Buffer, at: number): { head: number; start: number; end: number } | null {
  if (bytes.length < at + 2) return null;
  const head = bytes.readUInt8(at);
  const short = bytes.readUInt8(at + 1);
  if (short < 126) return { head, start: at + 2, end: at + 2 + short };
  const start = at + (short === 126 ? 4 : 10);
  if (bytes.length < start) return null;
  const length = short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
  return { head, start, end: start + length };
}

function clientFrame(head: number, payload: Buffer): Buffer {
  const { length } = payload;
  if (length > 0xffff) throw new Error('the bench says nothing as long as that');
  const start = (length < 126 ? 2 : 4) + MASK_BYTES;
  const frame = Buffer.alloc(start + length);
  frame.writeUInt8(head, 0);
  frame.writeUInt8(MASKED | Math.min(length, 126), 1);
  if (length >= 126) frame.writeUInt16BE(length, 2);
  payload.copy(frame, start);
  return frame;
}
