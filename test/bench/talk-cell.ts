import { performance } from 'node:perf_hooks';
import { spread } from './measure.ts';
import { Client, Writer } from './talk-client.ts';
import { FrameReader, type Said } from './talk-events.ts';
import type { Room } from './talk-place.ts';

/** How many readers and writers, and for how long. */
export interface Cell {
  readers: number;
  writers: number;
  seconds: number;
}

export interface TalkFigures {
  /** Messages that their writers had back. */
  perSecond: number;
  /** From the writer's send until a reader has it, in milliseconds. */
  delivery: { p50: number; p99: number };
  /** The same until the writer itself has it. */
  echo: { p50: number; p99: number };
  /** Which share of the time the clients' own thread was busy. */
  clientLoad: number;
}

const WARM_UP_MS = 1000;
/** Readers whose delivery times are taken, evenly among all. */
const SAMPLED = 10;
const HANDSHAKES = 32;
const ARRIVAL_MS = 20_000;
/** Readers do not acknowledge in step. */
const STEP = 37;
const ACK_WITHIN = 50;

interface Delivery {
  said: number;
  took: number;
}

/** Opens a room's sockets, lets its writers talk, and sees that everybody heard everything. */
export async function measureCell(room: Room, cell: Cell): Promise<TalkFigures> {
  const meeting = new PersonAttachment(room, cell);
  try {
    return await Promise.race([meeting.hold(), meeting.failed]);
  } finally {
    await meeting.end();
  }
}

class PersonAttachment {
  readonly #room: Room;
  readonly #cell: Cell;
  readonly #clients: Client[] = [];
  readonly #writers: Writer[] = [];
  readonly #deliveries: Delivery[] = [];
  readonly #frames = new FrameReader();
  readonly #failure = Promise.withResolvers<never>();

  constructor(room: Room, cell: Cell) {
    this.#room = room;
    this.#cell = cell;
    this.#failure.promise.catch(() => {});
  }

  get failed(): Promise<never> {
    return this.#failure.promise;
  }

  async hold(): Promise<TalkFigures> {
    await this.#open();
    this.#writers.forEach((writer) => writer.say());
    await pause(WARM_UP_MS);
    const load = performance.eventLoopUtilization();
    const from = performance.now();
    await pause(this.#cell.seconds * 1000);
    const to = performance.now();
    const { utilization } = performance.eventLoopUtilization(load);
    this.#writers.forEach((writer) => writer.stop());
    await this.#everybodyHasEverything();
    return this.#figures(from, to, utilization);
  }

  async end(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  async #open(): Promise<void> {
    const { readers, writers } = this.#cell;
    const every = Math.max(1, Math.floor(readers / SAMPLED));
    const opening = [
      ...Array.from({ length: readers }, (_, index) => () => this.#openReader(index, index % every === 0)),
      ...Array.from({ length: writers }, (_, index) => () => this.#openWriter(index)),
    ];
    while (opening.length > 0) await Promise.all(opening.splice(0, HANDSHAKES).map((open) => open()));
  }

  async #openReader(index: number, isSampled: boolean): Promise<void> {
    const heard = isSampled ? (said: Said[]) => this.#time(said) : () => {};
    await this.#newClient(heard).open(this.#room.reader(index));
  }

  async #openWriter(index: number): Promise<void> {
    const client = this.#newClient((said) => writer.heard(said));
    const writer = new Writer(`writer ${index}`, (frame) => client.send(frame));
    this.#writers.push(writer);
    await client.open(this.#room.writer(index));
  }

  #newClient(heard: (said: Said[]) => void): Client {
    const firstAck = this.#room.wantsAcks ? ((this.#clients.length * STEP) % ACK_WITHIN) + 1 : null;
    const failed = (why: string) => this.#failure.reject(new Error(why));
    const client = new Client({ frames: this.#frames, firstAck, heard, failed });
    this.#clients.push(client);
    return client;
  }

  #time(said: Said[]): void {
    const now = performance.now();
    for (const { at } of said) this.#deliveries.push({ said: at, took: now - at });
  }

  /** A bench that loses messages measures nothing. */
  async #everybodyHasEverything(): Promise<void> {
    const deadline = performance.now() + ARRIVAL_MS;
    const sent = () => this.#writers.reduce((sum, writer) => sum + writer.sent, 0);
    const hasAll = ({ count }: Client) => count === sent();
    const isOver = () => this.#writers.every(({ isSilent }) => isSilent) && this.#clients.every(hasAll);
    while (!isOver()) {
      if (performance.now() > deadline) throw new Error(this.#whatIsMissing(sent()));
      await pause(20);
    }
    const ends = new Set(this.#clients.map(({ last }) => last));
    if (ends.size > 1) throw new Error(`readers ended at different sequences: ${[...ends].join(', ')}`);
  }

  #whatIsMissing(sent: number): string {
    const silent = this.#writers.filter(({ isSilent }) => isSilent).length;
    const behind = this.#clients.filter(({ count }) => count !== sent);
    const counts = behind.slice(0, 5).map(({ count }) => count);
    return `${sent} were sent, ${silent} of ${this.#writers.length} writers had theirs back, ${behind.length} of ${this.#clients.length} sockets have not all: ${counts.join(', ')}`;
  }

  #figures(from: number, to: number, clientLoad: number): TalkFigures {
    const isIn = (at: number) => at >= from && at < to;
    const echoes = this.#writers.flatMap((writer) => writer.echoes.filter(({ at }) => isIn(at)));
    const deliveries = this.#deliveries.filter(({ said }) => isIn(said));
    return {
      perSecond: echoes.length / ((to - from) / 1000),
      delivery: spread(deliveries.map(({ took }) => took)),
      echo: spread(echoes.map(({ took }) => took)),
      clientLoad,
    };
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
