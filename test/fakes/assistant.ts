import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Webhook } from 'standardwebhooks';
import type { Json } from '../support/http.ts';

/** A customer's assistant on 127.0.0.1, as strict about signatures as it should be. */
export interface AssistantFake {
  url: string;
  /** The `data` of each request, as it came. */
  asked: Json[];
  /** Requests whose signature was wrong. A test ends with this empty. */
  violations: string[];
  trust(secret: string): void;
  close(): Promise<void>;
}

/** `answer` makes the body of a 200, as slowly as it likes. */
export async function startAssistant(answer: (data: Json) => Promise<Json>): Promise<AssistantFake> {
  const asked: Json[] = [];
  const violations: string[] = [];
  let webhook: Webhook | null = null;
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await read(request);
    try {
      webhook?.verify(body, request.headers as Record<string, string>);
    } catch (error) {
      violations.push(String(error));
    }
    const { data } = JSON.parse(body);
    asked.push(data);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(await answer(data)));
  };
  const server = createServer((request, response) => void take(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sequenceEvents = server.address();
  if (sequenceEvents === null || typeof sequenceEvents === 'string') throw new Error('no port');
  return {
    url: `http://127.0.0.1:${sequenceEvents.port}/ask`,
    asked,
    violations,
    trust: (secret) => (webhook = new Webhook(secret)),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
