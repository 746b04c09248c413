/**
 * The server that the web chat's widget talks to, on 127.0.0.1. It follows the widget's protocol, but is stricter: requests that a correct
 * client would not make are noted in `violations`. It also serves the widget's script.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Json } from '../support/http.ts';

const SCRIPT = join(import.meta.dirname, '..', '..', 'src', 'widget', 'public', 'widget.js');
const PROTOCOL = 'parley.v1';

export interface ChatFake {
  origin: string;
  account: string;
  /** Requests such as `GET /messages`; a socket is `GET /ws`. */
  requests: string[];
  violations: string[];
  /** The conversation with this message of a visitor. */
  conversationOf(question: string): Conversation;
  /** Answers in the conversation with this question. */
  answer(question: string, text: string, more?: Json): Json;
  say(conversation: Conversation, frame: Json): void;
  /** Closes the conversation with this question. The visitor's next message begins another one. */
  end(question: string): void;
  /** Cuts off the sockets of the conversation with this question, without a close frame. */
  drop(question: string): void;
  /** The next request of that kind (`POST /messages`) fails. Calls queue up. */
  failNext(request: string, status: number, reason: string, headers?: Record<string, string>): void;
  /** Makes all issued tokens invalid. */
  forgetVisitors(): void;
  close(): Promise<void>;
}

export interface Conversation {
  id: string;
  isClosed: boolean;
  messages: Json[];
  /** The log: frame n has sequence n + 1. */
  log: Json[];
  /** The frames that visitors sent on their sockets. */
  heard: Json[];
  sockets: Set<WebSocket>;
}

interface Visitor {
  token: string;
  name: string;
  email: string;
  conversation: Conversation;
}

class Failure extends Error {
  readonly status: number;
  readonly reason: string;
  readonly headers: Record<string, string>;

  constructor(status: number, reason: string, headers: Record<string, string> = {}) {
    super(`${status} ${reason}`);
    this.status = status;
    this.reason = reason;
    this.headers = headers;
  }
}

const newConversation = (): Conversation => ({
  id: randomUUID(),
  isClosed: false,
  messages: [],
  log: [],
  heard: [],
  sockets: new Set(),
});

class Hub {
  readonly account = randomUUID();
  readonly requests: string[] = [];
  readonly violations: string[] = [];
  readonly visitors = new Map<string, Visitor>();
  readonly conversations: Conversation[] = [];
  readonly failures: (Failure & { request: string })[] = [];
  readonly allowed: string;

  constructor(allowed: string) {
    this.allowed = allowed;
  }

  /** Appends a frame to the log and sends it to every socket. */
  append(conversation: Conversation, frame: Json): Json {
    const full = { ...frame, sequence: conversation.log.length + 1 };
    conversation.log.push(full);
    for (const socket of conversation.sockets) socket.send(JSON.stringify(full));
    return full;
  }

  addMessage(conversation: Conversation, fields: Json): Json {
    const message = {
      id: randomUUID(),
      conversation_id: conversation.id,
      sequence: conversation.log.length + 1,
      text: '',
      medias: [],
      client_id: '',
      tm_create: new Date().toISOString(),
      is_read: false,
      ...fields,
    };
    conversation.messages.push(message);
    this.append(conversation, { type: 'message', data: message });
    return message;
  }

  find(question: string): Conversation {
    const found = this.conversations.findLast(({ messages }) => messages.some(({ text }) => text === question));
    if (!found) throw new Error(`nobody has written ${question}`);
    return found;
  }

  begin(): Conversation {
    const conversation = newConversation();
    this.conversations.push(conversation);
    return conversation;
  }

  visitorOf(token: string): Visitor {
    const visitor = this.visitors.get(token);
    if (!visitor) throw new Failure(401, 'INVALID_CREDENTIALS');
    return visitor;
  }

  /** The answer to a request: JSON, or the bytes of a file. */
  handle(method: string, path: string, query: URLSearchParams, token: string, body: Json): Json {
    const request = `${method} ${path}`;
    if (request === 'POST /sessions') return this.session(body);
    const visitor = this.visitorOf(token);
    if (request === 'GET /messages') return this.list(visitor, query);
    if (request === 'POST /messages') return this.take(visitor, body);
    const [, id, index] = /^GET \/messages\/([^/]+)\/medias\/(\d+)$/.exec(request) ?? [];
    const message = visitor.conversation.messages.find((one) => one.id === id);
    if (message?.medias[Number(index)]) return Buffer.from(`file ${index}`);
    throw new Failure(404, 'NOT_FOUND');
  }

  session(body: Json): Json {
    const unknown = Object.keys(body).filter(
      (key) => !['visitor_token', 'name', 'email', 'identity_token'].includes(key),
    );
    if (unknown.length > 0) this.violations.push(`a session with ${unknown.join()}`);
    if (body.identity_token === 'forged') throw new Failure(400, 'INVALID_ARGUMENT');
    const visitor = body.visitor_token
      ? this.visitorOf(body.visitor_token)
      : { token: `visitor-${randomUUID()}`, name: '', email: '', conversation: this.begin() };
    Object.assign(visitor, { name: body.name ?? visitor.name, email: body.email ?? visitor.email });
    this.visitors.set(visitor.token, visitor);
    const { name, email, conversation } = visitor;
    const is_verified = body.identity_token !== undefined;
    return { visitor_token: visitor.token, conversation_id: conversation.id, name, email, is_verified };
  }

  list({ conversation }: Visitor, query: URLSearchParams): Json {
    const size = Number(query.get('page_size') ?? 50);
    const before = Number(query.get('page_token') || Infinity);
    const rows = conversation.messages.filter(({ sequence }) => sequence < before).toReversed();
    const result = rows.slice(0, size);
    return { result, next_page_token: rows.length > size ? String(result.at(-1).sequence) : '' };
  }

  take(visitor: Visitor, { text, client_id }: Json): Json {
    if (typeof text !== 'string' || text.trim() === '' || text.length > 5000 || !client_id) {
      throw new Failure(400, 'INVALID_ARGUMENT');
    }
    const all = this.conversations.flatMap(({ messages }) => messages);
    const before = all.find((one) => one.client_id === client_id);
    if (before && before.text !== text) this.violations.push(`${client_id} is two messages`);
    if (before) return before;
    if (visitor.conversation.isClosed) visitor.conversation = this.begin();
    const sender = { type: 'visitor', name: '' };
    return this.addMessage(visitor.conversation, { direction: 'incoming', text, client_id, sender });
  }

  /** Serves an accepted socket: the log after `after`, then live frames. */
  attach(socket: WebSocket, { conversation }: Visitor, after: number): void {
    const head = conversation.log.length;
    if (after > head) this.violations.push(`after=${after} at ${head}`);
    for (const frame of conversation.log.slice(after)) socket.send(JSON.stringify(frame));
    socket.send(JSON.stringify({ type: 'caught_up', sequence: head }));
    conversation.sockets.add(socket);
    socket.on('close', () => conversation.sockets.delete(socket));
    socket.on('message', (data) => this.hear(conversation, socket, String(data as Buffer)));
  }

  hear(conversation: Conversation, socket: WebSocket, data: string): void {
    if (data === 'ping') return socket.send('pong');
    const said = JSON.parse(data);
    conversation.heard.push(said);
    if (!['ack', 'read', 'typing'].includes(said.type)) this.violations.push(`a client says ${data}`);
    if (said.sequence > conversation.log.length) this.violations.push(`${data} of what is not there yet`);
  }
}

export async function startChat(allowedOrigin: string): Promise<ChatFake> {
  const hub = new Hub(allowedOrigin);
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => offered.has(PROTOCOL) && PROTOCOL,
  });
  const server = createServer((request, response) => void respond(hub, request, response));
  server.on('upgrade', (request, socket, head) => upgrade(hub, sockets, request, socket, head));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    origin: `http://127.0.0.1:${address.port}`,
    account: hub.account,
    requests: hub.requests,
    violations: hub.violations,
    conversationOf: (question) => hub.find(question),
    say: (conversation, frame) => conversation.sockets.forEach((socket) => socket.send(JSON.stringify(frame))),
    answer: (question, text, more = {}) =>
      hub.addMessage(hub.find(question), {
        direction: 'outgoing',
        text,
        sender: { type: 'person', name: 'Ada' },
        ...more,
      }),
    end: (question) => {
      const conversation = hub.find(question);
      conversation.isClosed = true;
      hub.append(conversation, { type: 'closed' });
    },
    drop: (question) => hub.find(question).sockets.forEach((socket) => socket.terminate()),
    failNext: (request, status, reason, headers) =>
      void hub.failures.push(Object.assign(new Failure(status, reason, headers), { request })),
    forgetVisitors: () => hub.visitors.clear(),
    close: async () => {
      sockets.clients.forEach((socket) => socket.terminate());
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function respond(hub: Hub, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '', 'http://fake');
  if (url.pathname === '/widget.js') {
    response.setHeader('Content-Type', 'text/javascript; charset=utf-8').end(readFileSync(SCRIPT));
    return;
  }
  for (const [name, value] of Object.entries(cors(request))) response.setHeader(name, value);
  if (request.method === 'OPTIONS') {
    response.writeHead(204).end();
    return;
  }
  try {
    const answer = await answerTo(hub, request, url);
    if (Buffer.isBuffer(answer)) response.setHeader('Content-Type', 'text/plain').end(answer);
    else response.setHeader('Content-Type', 'application/json').end(JSON.stringify(answer));
  } catch (error) {
    const { status, reason, headers } = error instanceof Failure ? error : new Failure(500, String(error));
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
    response.end(JSON.stringify({ error: { reason, message: reason } }));
  }
}

/** Allows every origin, so that a page can read the 403 that refuses its origin. */
const cors = ({ headers }: IncomingMessage): Record<string, string> => ({
  'Access-Control-Allow-Origin': headers.origin ?? '*',
  'Access-Control-Allow-Headers': 'authorization, content-type',
  'Access-Control-Allow-Methods': 'GET, POST',
  'Access-Control-Expose-Headers': 'retry-after',
});

async function answerTo(hub: Hub, request: IncomingMessage, url: URL): Promise<Json> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString());
  const path = admitted(hub, request, url);
  const token = (request.headers.authorization ?? '').replace('Bearer ', '');
  return hub.handle(request.method ?? '', path, url.searchParams, token, body);
}

/** The path below the account. @throws for an origin that is not allowed, and the failures that a test has planned. */
function admitted(hub: Hub, request: IncomingMessage, url: URL): string {
  const [, account, path = ''] = /^\/chat\/([^/]+)(\/.*)$/.exec(url.pathname) ?? [];
  if (account !== hub.account) throw new Failure(404, 'CONVERSATION_ACCOUNT_NOT_FOUND');
  const name = `${request.method} ${path}`;
  hub.requests.push(name);
  if (request.headers.origin !== hub.allowed) throw new Failure(403, 'ORIGIN_NOT_ALLOWED');
  const index = hub.failures.findIndex((failure) => failure.request === name);
  const [failure] = index < 0 ? [] : hub.failures.splice(index, 1);
  if (failure) throw failure;
  return path;
}

function upgrade(hub: Hub, sockets: WebSocketServer, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const url = new URL(request.url ?? '', 'http://fake');
  try {
    if (admitted(hub, request, url) !== '/ws') throw new Failure(404, 'NOT_FOUND');
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((text) => text.trim());
    if (offered[1] !== PROTOCOL) hub.violations.push(`a socket that offers ${offered.join()}`);
    const visitor = hub.visitorOf((offered[0] ?? '').replace('visitor.', ''));
    const after = url.searchParams.get('after');
    if (after === null) hub.violations.push('a socket without after');
    sockets.handleUpgrade(request, socket, head, (live) => hub.attach(live, visitor, Number(after)));
  } catch (error) {
    const status = error instanceof Failure ? error.status : 500;
    socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\n\r\n`);
  }
}
