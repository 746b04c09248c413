import { DurableObject } from 'cloudflare:workers';
import { checkedOnEntry, CredentialWatch, type Held } from './live/credential-watch.ts';
import {
  FEED_WINDOW,
  feedAttachmentSchema,
  feedFrameSchema,
  MAX_TOPICS,
  type Publication,
  type PublishedEvent,
} from './live/feed-protocol.ts';
import {
  CLOSE_RESTART,
  CLOSE_SLOW,
  CLOSE_TOO_BIG,
  errorFrame,
  MAX_FRAME_BYTES,
  SESSION_HEADER,
  sessionRequestSchema,
} from './live/protocol.ts';
import { bytesOf, close, parseFrame, send, sizeOf } from './live/socket.ts';
import type { Millis } from '../domain/time.ts';
import { refusalOfTopic, topicsOf } from '../domain/topics.ts';
import { revokedReaders } from '../storage/readers.ts';

/** One socket: who listens, to what, and how many bytes it was sent since its last sign of life. */
interface Listener extends Held {
  topics: Set<string>;
  unheard: number;
  heardAt: Millis;
}

/** The live feed of one customer: sockets and what they have subscribed to. It stores nothing, and no write waits for it. */
export class FeedObject extends DurableObject<Env> {
  readonly #listeners = new Map<WebSocket, Listener>();
  readonly #credentials: CredentialWatch;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
    this.#credentials = new CredentialWatch(ctx, {
      held: () => this.#listeners,
      revoked: (readers) => revokedReaders(env, readers),
      cut: (socket, code, reason) => this.#cut(socket, code, reason),
      checked: () => undefined,
    });
    for (const socket of ctx.getWebSockets()) this.#wake(socket);
  }

  /** Whether there is anybody to publish to. */
  isHeard(): boolean {
    return this.#listeners.size > 0;
  }

  /** To every socket that has subscribed to it, each event once. Order is kept: publications wait for the same check of credentials. */
  async publish(publication: Publication): Promise<void> {
    const held = [...this.#listeners.values()];
    if (held.some((listener) => !this.#credentials.isFresh(listener))) await this.#credentials.check();
    for (const [socket, listener] of this.#listeners) this.#deliver(socket, listener, publication);
  }

  /** The upgrade. The Worker has authenticated it and says so in SESSION_HEADER. */
  override fetch(request: Request): Response {
    const { reader } = sessionRequestSchema.parse(JSON.parse(request.headers.get(SESSION_HEADER) ?? 'null'));
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    const topics = new Set<string>();
    const listener = { reader, topics, checkedAt: checkedOnEntry(), unheard: 0, heardAt: Date.now() };
    this.#listeners.set(server, listener);
    save(server, listener);
    return new Response(null, { status: 101, webSocket: client });
  }

  override async webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    if (sizeOf(data) > MAX_FRAME_BYTES) return this.#cut(socket, CLOSE_TOO_BIG, 'frame above 64 KB');
    const listener = this.#listeners.get(socket);
    if (!listener) return;
    hear(listener);
    const frame = feedFrameSchema.safeParse(parseFrame(data));
    if (!frame.success) return say(socket, errorFrame('expected {"type":"subscribe"|"unsubscribe","topics":[…]}'));
    const { type, topics, client_id } = frame.data;
    if (type === 'subscribe') topics.forEach((topic) => subscribe(socket, listener, topic));
    else topics.forEach((topic) => listener.topics.delete(topic));
    save(socket, listener);
    if (client_id !== undefined) say(socket, { type: 'ack', client_id, data: { topics: [...listener.topics] } });
  }

  override webSocketClose(socket: WebSocket): void {
    this.#listeners.delete(socket);
  }

  override webSocketError(socket: WebSocket): void {
    this.#listeners.delete(socket);
  }

  #wake(socket: WebSocket): void {
    const attachment = feedAttachmentSchema.safeParse(socket.deserializeAttachment());
    if (!attachment.success) return close(socket, CLOSE_RESTART, 'come back');
    const { reader, topics } = attachment.data;
    const listener = { reader, topics: new Set(topics), checkedAt: 0, unheard: 0, heardAt: Date.now() };
    this.#listeners.set(socket, listener);
  }

  #deliver(socket: WebSocket, listener: Listener, publication: Publication): void {
    for (const event of publication.events) {
      if (!isFor(listener, publication, event)) continue;
      if (listener.unheard > FEED_WINDOW && !this.#heardSince(socket, listener))
        return this.#cut(socket, CLOSE_SLOW, 'no sign of life: send "ping" now and then');
      send(socket, event.text);
      listener.unheard += bytesOf(event.text);
    }
  }

  /** The runtime answers a `ping` without waking the object, and remembers when. */
  #heardSince(socket: WebSocket, listener: Listener): boolean {
    const pinged = this.ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0;
    if (pinged <= listener.heardAt) return false;
    hear(listener);
    return true;
  }

  #cut(socket: WebSocket, code: number, reason: string): void {
    this.#listeners.delete(socket);
    close(socket, code, reason);
  }
}

function isFor({ reader, topics }: Listener, publication: Publication, event: PublishedEvent): boolean {
  const own = reader.kind === 'agent' ? reader.agentId : null;
  const concerned = own !== null && (publication.agents.includes(own) || event.also.includes(own));
  if (publication.isPrivate && own !== null && !concerned) return false;
  const published = topicsOf({ ...publication, type: event.type }, concerned ? own : null);
  return [...topics].some((topic) => published.some((name) => name.startsWith(topic)));
}

/** A topic that is refused gets an answer of its own; the other topics of the frame are subscribed to. */
function subscribe(socket: WebSocket, listener: Listener, topic: string): void {
  const { reader } = listener;
  const problem = reader.kind === 'visitor' ? 'is not for visitors' : refusalOfTopic(topic, reader);
  if (problem !== null) return say(socket, refused('PERMISSION_DENIED', topic, problem));
  if (listener.topics.size >= MAX_TOPICS && !listener.topics.has(topic))
    return say(socket, refused('INVALID_ARGUMENT', topic, `is one too many: a socket has at most ${MAX_TOPICS}`));
  listener.topics.add(topic);
}

const refused = (reason: string, topic: string, problem: string) => ({
  type: 'error',
  error: { reason, message: `${topic}: ${problem}`, details: { topic } },
});

function hear(listener: Listener): void {
  listener.unheard = 0;
  listener.heardAt = Date.now();
}

const say = (socket: WebSocket, frame: unknown): void => send(socket, JSON.stringify(frame));

const save = (socket: WebSocket, { reader, topics }: Listener): void =>
  socket.serializeAttachment({ v: 1, reader, topics: [...topics] });
