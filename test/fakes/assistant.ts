import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Webhook } from 'standardwebhooks';
import type { Json } from '../support/http.ts';

/** A customer's assistant on 127.0.0.1, which checks signatures as a real one should. */
export interface AssistantFake {
  url: string;
  /** The `data` of each request. */
  asked: Json[];
  /** Requests with a wrong signature. Must be empty at the end of a test. */
  violations: string[];
  trust(secret: string): void;
  close(): Promise<void>;
}

/** `answer`: creates the body of the 200; it may take any time. */
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
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `http://127.0.0.1:${address.port}/ask`,
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
