import { createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server } from 'node:http';
import { Webhook } from 'standardwebhooks';
import type { Json } from './http.ts';

/** One request as received, with the status of its answer. */
export interface ReceivedHook {
  id: string;
  method: string;
  headers: IncomingHttpHeaders;
  rawBody: string;
  /** `{type, sequence, data}`. */
  body: Json;
  answered: number;
  /** Milliseconds. */
  at: number;
}

/** A customer's webhook receiver on 127.0.0.1, as strict as a careful customer's. */
export interface Receiver {
  url: string;
  requests: ReceivedHook[];
  /** Everything wrong with a request: its signatures, its id, one id with two contents. Must be empty at the end of a test. */
  complaints: string[];
  /** Sets the secret that signs from now on. Without one, every request is a complaint. */
  trust(secret: string): void;
  /** Sets the answer to the following requests. */
  answerWith(status: number, headers?: Record<string, string>): void;
  /** Closes the port: connections are refused. */
  goDown(): Promise<void>;
  /** Opens the same port again. */
  comeBack(): Promise<void>;
  close(): Promise<void>;
}

export async function startReceiver(): Promise<Receiver> {
  const requests: ReceivedHook[] = [];
  const complaints: string[] = [];
  const contents = new Map<string, string>();
  let secret = '';
  let answer: { status: number; headers: Record<string, string> } = { status: 200, headers: {} };

  const take = (incoming: IncomingMessage, rawBody: string): void => {
    const { method = '', headers } = incoming;
    const id = String(headers['webhook-id'] ?? '');
    const problems = problemsOf(rawBody, headers, secret);
    const known = contents.get(id);
    if (known !== undefined && known !== nameOf(rawBody)) problems.push(`was ${known} before`);
    contents.set(id, nameOf(rawBody));
    complaints.push(...problems.map((problem) => `${id} (${nameOf(rawBody)}): ${problem}`));
    requests.push({
      id,
      method,
      headers,
      rawBody,
      body: parse(rawBody),
      answered: answer.status,
      at: Date.now(),
    });
  };

  const listen = async (port: number): Promise<Server> => {
    const server = createServer((incoming, response) => {
      void readBody(incoming).then((rawBody) => {
        take(incoming, rawBody);
        response.writeHead(answer.status, answer.headers).end();
      });
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return server;
  };

  let server = await listen(0);
  const port = portOf(server);
  return {
    url: `http://127.0.0.1:${port}/hook`,
    requests,
    complaints,
    trust: (text) => void (secret = text),
    answerWith: (status, headers = {}) => void (answer = { status, headers }),
    goDown: () => closeServer(server),
    comeBack: async () => void (server = await listen(port)),
    close: () => closeServer(server),
  };
}

/** The ids of the received events, which `GET /v1.0/events` lists too. */
export const idsOf = (receiver: Receiver): Set<string> => new Set(receiver.requests.map(({ id }) => id));

function problemsOf(rawBody: string, headers: IncomingHttpHeaders, secret: string): string[] {
  if (secret === '') return ['came before its secret was known'];
  const problems: string[] = [];
  try {
    const named = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => [name, String(headers[name])]);
    new Webhook(secret).verify(rawBody, Object.fromEntries(named));
  } catch (error) {
    problems.push(`the standardwebhooks library says: ${String(error)}`);
  }
  if (!voipbinSigned(rawBody, String(headers['x-voipbin-signature'] ?? ''), secret)) {
    problems.push('X-VoIPBIN-Signature is not the HMAC of the raw body');
  }
  if (!String(headers['content-type']).startsWith('application/json')) problems.push('is not declared as JSON');
  if (nameOf(rawBody) === '') problems.push('is not {type, sequence, data}');
  return problems;
}

function voipbinSigned(rawBody: string, header: string, secret: string): boolean {
  const right = Buffer.from(`sha256=${createHmac('sha256', secret).update(rawBody).digest('hex')}`);
  const given = Buffer.from(header);
  return given.length === right.length && timingSafeEqual(given, right);
}

/** The event and the subject of a body, which must be the same in every attempt. */
function nameOf(rawBody: string): string {
  const body = parse(rawBody);
  if (typeof body?.type !== 'string' || typeof body.sequence !== 'number' || typeof body.data !== 'object') return '';
  return `${body.type} ${body.sequence} of ${body.data.conversation_id ?? body.data.id}`;
}

function parse(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the receiver has no port');
  return address.port;
}

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
