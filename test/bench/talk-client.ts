import { openSocket, type RawSocket } from './raw-socket.ts';
import { textSaid, type FrameReader, type Said } from './talk-events.ts';
import type { Door } from './talk-place.ts';

const ACK_EVERY = 50;

interface ClientOptions {
  frames: FrameReader;
  /** After how many messages it says the first time how far it is; null: never. Not all at once, as in life. */
  firstAck: number | null;
  heard: (said: Said[]) => void;
  failed: (why: string) => void;
}

/** One socket that is in the room: it hears everything, once and in order, or says that it does not. */
export class Client {
  count = 0;
  last = 0;
  readonly #options: ClientOptions;
  #nextAck: number;
  #socket: RawSocket | null = null;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#nextAck = options.firstAck ?? Infinity;
  }

  async open({ url, headers }: Door): Promise<void> {
    const frame = (payload: Buffer) => this.#take(payload);
    this.#socket = await openSocket(url, headers, { frame, lost: this.#options.failed });
  }

  send(frame: unknown): void {
    this.#socket?.send(JSON.stringify(frame));
  }

  async close(): Promise<void> {
    await this.#socket?.close();
  }

  #take(payload: Buffer): void {
    try {
      const said = this.#options.frames.read(payload);
      said.forEach((one) => this.#count(one));
      this.#options.heard(said);
    } catch (error) {
      this.#options.failed(error instanceof Error ? error.message : String(error));
    }
    if (this.count >= this.#nextAck) this.#acknowledge();
  }

  #count({ sequence }: Said): void {
    if (this.count > 0 && sequence !== this.last + 1) throw new Error(`${sequence} came after ${this.last}`);
    this.count += 1;
    this.last = sequence;
  }

  #acknowledge(): void {
    this.send({ type: 'ack', sequence: this.last });
    this.#nextAck = this.count + ACK_EVERY;
  }
}

/** Says the next thing when it has heard the last one. */
export class Writer {
  sent = 0;
  /** When it heard each of its own, and how long that took. */
  readonly echoes: { at: number; took: number }[] = [];
  readonly #name: string;
  readonly #send: (frame: unknown) => void;
  #open: string | null = null;
  #isDone = false;

  constructor(name: string, send: (frame: unknown) => void) {
    this.#name = name;
    this.#send = send;
  }

  get isSilent(): boolean {
    return this.#open === null;
  }

  say(): void {
    this.sent += 1;
    this.#open = `${this.#name} ${this.sent}`;
    this.#send({ type: 'send', client_id: this.#open, text: textSaid(performance.now()) });
  }

  heard(said: Said[]): void {
    const own = said.find(({ clientId }) => clientId === this.#open);
    if (!own) return;
    const at = performance.now();
    this.echoes.push({ at, took: at - own.at });
    this.#open = null;
    if (!this.#isDone) this.say();
  }

  stop(): void {
    this.#isDone = true;
  }
}
