import { vi } from 'vitest';
import type { Json } from './hub.ts';

export interface Received {
  headers: Headers;
  text: string;
  body: Json;
  method: string;
}

/** A customer's webhook receiver inside the runtime. It answers `fetch` of the Worker under test, by URL. */
export interface Receiver {
  url: string;
  received: Received[];
  /** Answers the following requests. `body`: the parsed body of the request. */
  answer: Answer;
  /** The first request with an event of that type. @throws while there is none. */
  one(type: string): Received;
}

type Answer = (request: Request, body: Json) => Response | Promise<Response>;

const receivers = new Map<string, Receiver>();

export function listen(answer: Answer = () => new Response('ok')): Receiver {
  vi.spyOn(globalThis, 'fetch').mockImplementation(route);
  const url = `https://${crypto.randomUUID()}.receiver.example/hook`;
  const received: Received[] = [];
  const receiver: Receiver = {
    url,
    received,
    answer,
    one: (type) => {
      const found = received.find(({ body }) => body.type === type);
      if (!found) throw new Error(`no ${type} among ${received.map(({ body }) => body.type).join(', ') || 'nothing'}`);
      return found;
    },
  };
  receivers.set(url, receiver);
  return receiver;
}

async function route(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init);
  const receiver = receivers.get(request.url);
  if (!receiver) throw new TypeError('Network connection lost.');
  const text = await request.text();
  const body: Json = text === '' ? null : JSON.parse(text);
  const answer = await Promise.race([receiver.answer(request, body), aborted(init?.signal ?? null)]);
  if (answer.status < 300) receiver.received.push({ headers: request.headers, text, body, method: request.method });
  return answer;
}

/** Rejects when the caller gives up, as `fetch` does. */
const aborted = (signal: AbortSignal | null): Promise<never> =>
  new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
