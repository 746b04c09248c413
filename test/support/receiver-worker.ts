import { vi } from 'vitest';
import type { Json } from './hub.ts';

/** A customer's webhook receiver inside the runtime: `fetch` of the Worker under test is answered here, by URL. */
export interface Received {
  headers: Headers;
  text: string;
  body: Json;
  method: string;
}

export interface Receiver {
  url: string;
  received: Received[];
  /** What it answers from now on. */
  answer: (request: Request) => Response;
  /** The one request of that type. @throws while there is none. */
  one(type: string): Received;
}

const receivers = new Map<string, Receiver>();

export function listen(answer: (request: Request) => Response = () => new Response('ok')): Receiver {
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
  const answer = receiver.answer(request);
  if (answer.status < 300)
    receiver.received.push({ headers: request.headers, text, body: JSON.parse(text), method: request.method });
  return answer;
}
