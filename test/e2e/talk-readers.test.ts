import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, type Frame, type Json, ok, upTo } from '../support/http.ts';
import { startServer, type TestServer } from '../support/server.ts';

/** "It shows": one socket that never reads is cut off, 200 others get everything, and the runtime's memory stays bounded. */
const READERS = 200;
const ACK_EVERY = 100;
/** Of different agents: a client_id is the agent's own. */
const WRITERS = 2;
/** As fast as the readers read: nobody writes more than this ahead of the slowest of the 200. */
const ROUND = 40;
const ROUNDS = 30;
const TEXT = 'x'.repeat(4000);
const CREATED = 5;
const ROUND_MS = 30_000;
/** 30 s of patience, of which much has passed while the others read, and the object's alarm. */
const CUT_OFF_MS = 45_000;
const MB = 2 ** 20;
/** One window of 1 MB, and the page of 100 events that may overshoot it. The whole log has more than three times that. */
const KEPT_BYTES = 1.6 * MB;
/**
 * As if the windows of all were full at once, which is the most that may ever be under way, while more than three times that goes out.
 * For one reader it says little, since the runtime's own heap grows by more than one log: KEPT_BYTES does that.
 */
const GROWTH_BYTES = (READERS + 1) * KEPT_BYTES;
const TOO_SLOW = 4008;

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
});

afterAll(() => server?.dispose());

interface Person {
  id: string;
  token: string;
}

async function login(name: string): Promise<Person> {
  const username = `${name}@localhost`;
  const { token } = await ok(server.as(null)('POST', '/auth/login', { username, password: username }));
  return { token, id: (await ok(server.as(token)('GET', '/v1.0/me'))).id };
}

const pathTo = (talk: string, { token }: Person, query: string): string =>
  `/v1.0/service_agents/talk_chats/${talk}/ws?token=${token}${query}`;

interface Reader {
  socket: WebSocket;
  last: number;
  acked: number;
  faults: string[];
  /** The commands that were answered. */
  acks: Set<string>;
}

/** Reads and acknowledges as it should. */
async function openReader(talk: string, who: Person, query: string, last = 0): Promise<Reader> {
  const socket = new WebSocket(server.url.replace('http', 'ws') + pathTo(talk, who, `${query}&after=${last}`));
  const reader: Reader = { socket, last, acked: last, faults: [], acks: new Set() };
  socket.addEventListener('message', ({ data }) =>
    [JSON.parse(String(data))].flat().forEach((frame) => take(reader, frame)),
  );
  socket.addEventListener('close', ({ code }) => reader.faults.push(`closed with ${code} after ${reader.last}`));
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('error', reject);
  });
  return reader;
}

function take(reader: Reader, frame: Json): void {
  if (frame.type === 'ack') return void reader.acks.add(frame.client_id);
  if (frame.type === 'error' || frame.type === 'resync') reader.faults.push(JSON.stringify(frame));
  if (!frame.data || frame.sequence === undefined) return;
  if (frame.sequence !== reader.last + 1) reader.faults.push(`${frame.sequence} after ${reader.last}`);
  reader.last = frame.sequence;
  if (reader.last - reader.acked < ACK_EVERY) return;
  reader.acked = reader.last;
  reader.socket.send(JSON.stringify({ type: 'ack', sequence: reader.last }));
}

/** All at once, over its socket; until each is acknowledged. */
const write = ({ socket, acks }: Reader, round: number, count: number): Promise<void> => {
  const before = acks.size;
  for (let number = 0; number < count; number += 1)
    socket.send(JSON.stringify({ type: 'send', client_id: `${round} ${number}`, text: TEXT }));
  return eventually(() => expect(acks.size).toBe(before + count), ROUND_MS);
};

/** A handshake, and then silence. What comes stays in buffers: a little in ours, then in the system's, then in the server's. */
async function openSilent(path: string): Promise<Socket> {
  const { hostname, port, host } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  const upgrade = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13`;
  const key = randomBytes(16).toString('base64');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${upgrade}\r\nSec-WebSocket-Key: ${key}\r\n\r\n`);
  let head = '';
  while (!head.endsWith('\r\n\r\n')) {
    const byte: Buffer | null = socket.read(1);
    if (byte) head += byte.toString('latin1');
    else await once(socket, 'readable');
  }
  expect(head).toMatch(/^HTTP\/1\.1 101 /);
  return socket.pause();
}

interface Kept {
  bytes: number;
  frames: Frame[];
  /** The code of the close frame. */
  closed: number;
}

/** Reads at last, until the close frame: whatever was kept for it anywhere. */
async function readKept(socket: Socket): Promise<Kept> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk)).resume();
  return eventually(() => {
    const kept = parseFrames(Buffer.concat(chunks));
    expect(kept.closed).toBeGreaterThan(0);
    return kept;
  });
}

const CLOSE = 8;

/** RFC 6455 section 5.2, as far as a server's frames need it: no masks, no fragments, and no compression was offered. */
function parseFrames(bytes: Buffer): Kept {
  const kept: Kept = { bytes: bytes.length, frames: [], closed: 0 };
  for (let at = 0; at + 2 <= bytes.length;) {
    const short = bytes.readUInt8(at + 1);
    const start = at + (short === 126 ? 4 : short === 127 ? 10 : 2);
    if (start > bytes.length) break;
    const length = short === 126 ? bytes.readUInt16BE(at + 2) : short === 127 ? bytes.readUInt32BE(at + 6) : short;
    if (start + length > bytes.length) break;
    if ((bytes.readUInt8(at) & 15) === CLOSE) kept.closed = bytes.readUInt16BE(start);
    else kept.frames.push(JSON.parse(bytes.toString('utf8', start, start + length)));
    at = start + length;
  }
  return kept;
}

/** A newcomer is told who is there: those whom the talk still counts. */
async function present(talk: string, asker: Person): Promise<string[]> {
  const socket = new WebSocket(server.url.replace('http', 'ws') + pathTo(talk, asker, ''));
  const frame = await new Promise<Json>((resolve, reject) => {
    socket.addEventListener('message', ({ data }) => resolve(JSON.parse(String(data))));
    socket.addEventListener('close', () => reject(new Error('no greeting')));
  });
  socket.close();
  expect(frame.type).toBe('presence');
  return frame.data.agents.map((agent: Json) => agent.owner_id);
}

interface Process {
  pid: number;
  parent: number;
  kilobytes: number;
  args: string;
}

function processes(): Process[] {
  const columns = ['-A', '-ww', '-o', 'pid=,ppid=,rss=,args='];
  const rows = execFileSync('ps', columns, { encoding: 'utf8', maxBuffer: 2 ** 26 }).split('\n');
  return rows.flatMap((row) => {
    const [, pid, parent, kilobytes, args = ''] = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(.*)$/.exec(row) ?? [];
    return pid === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), kilobytes: Number(kilobytes), args }];
  });
}

/** Resident bytes of the workerd that runs the Worker; wrangler's other one is the proxy that holds the port. */
function residentBytes(): number {
  const rows = processes();
  const wranglers = rows.filter(({ args }) => args.includes(server.stateDir)).map(({ pid }) => pid);
  const proxy = `=entry=127.0.0.1:${new URL(server.url).port} `;
  const workers = rows.filter(
    ({ parent, args }) => wranglers.includes(parent) && /workerd\S* serve/.test(args) && !args.includes(proxy),
  );
  if (workers.length !== 1 || !workers[0]) throw new Error(`expected one runtime, found ${workers.length}`);
  return workers[0].kilobytes * 1024;
}

/** The most that it ever was more, looked at after each round. */
async function writeRounds(readers: Reader[]): Promise<number> {
  const before = residentBytes();
  let growth = 0;
  for (let round = 1; round <= ROUNDS; round += 1) {
    const writing = readers.slice(0, WRITERS).map((reader) => write(reader, round, ROUND / WRITERS));
    await Promise.all(writing);
    const head = CREATED + round * ROUND;
    await eventually(() => expect(readers.filter(({ last }) => last < head).length).toBe(0), ROUND_MS);
    growth = Math.max(growth, residentBytes() - before);
  }
  return growth;
}

async function openReaders(talk: string, people: Person[]): Promise<Reader[]> {
  const readers: Reader[] = [];
  for (let index = 0; index < READERS; index += 1) {
    const who = people[index % people.length];
    if (who) readers.push(await openReader(talk, who, index % 2 === 0 ? '' : '&batch=1'));
  }
  return readers;
}

describe('one socket that never reads, and 200 others', () => {
  it('is cut off while they get everything, and the runtime’s memory stays bounded', async () => {
    const people = await Promise.all(['agent1', 'agent2', 'admin'].map(login));
    const [agent1] = people;
    const manager = await login('manager');
    if (!agent1) throw new Error('nobody is there');
    const all = [...people, manager].map(({ id }) => id);
    const body = { type: 'group', participant_ids: all };
    const talk = (await ok(server.as(agent1.token)('POST', '/v1.0/service_agents/talk_chats', body))).id;
    const silent = await openSilent(pathTo(talk, manager, '&after=0'));
    const readers = await openReaders(talk, people);
    expect((await present(talk, agent1)).toSorted()).toEqual(all.toSorted());

    const growth = await writeRounds(readers);
    const head = CREATED + ROUNDS * ROUND;
    expect(readers.flatMap(({ faults }) => faults)).toEqual([]);
    expect(readers.filter(({ last }) => last !== head)).toEqual([]);

    await eventually(async () => expect(await present(talk, agent1)).not.toContain(manager.id), CUT_OFF_MS);
    const kept = await readKept(silent);
    expect(kept.closed).toBe(TOO_SLOW);
    expect(kept.bytes).toBeLessThan(KEPT_BYTES);
    expect(growth).toBeLessThan(GROWTH_BYTES);

    // What it was sent, it can build on: it comes back for the rest.
    const events = kept.frames.filter(({ data, sequence }) => data && sequence !== undefined);
    expect(events.map(({ sequence }) => sequence)).toEqual(upTo(events.length));
    const returned = await openReader(talk, manager, '', events.length);
    await eventually(() => expect(returned.last).toBe(head));
    expect([...readers, returned].flatMap(({ faults }) => faults)).toEqual([]);
    readers.forEach(({ socket }) => socket.close());
    silent.destroy();
  });
});
