import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Json } from '../support/http.ts';
import { startServer, type TestServer } from '../support/server.ts';

/** Uploads as the network brings them: large, without a length, cut in the middle. */
let server: TestServer;

beforeAll(async () => {
  server = await startServer();
});

afterAll(async () => {
  await server?.dispose();
});

const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const upload = (body: RequestInit['body'], more: RequestInit = {}): Promise<Response> =>
  fetch(`${server.url}/v1.0/medias`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.accessKey}`, 'content-type': 'application/octet-stream' },
    body: body ?? null,
    ...more,
  });

it('a file of 20 MB comes back as it was, also by its link', async () => {
  const file = randomBytes(20 * 1024 * 1024);
  const answer = await upload(file);
  const { size, public_url: link } = (await answer.json()) as Json;
  expect(size).toBe(file.byteLength);
  const opened = await fetch(link);
  expect(opened.headers.get('content-length')).toBe(String(file.byteLength));
  expect(hash(new Uint8Array(await opened.arrayBuffer()))).toBe(hash(file));
});

it('without a length it is 411, with more than 100 MB 413', async () => {
  const endless = new ReadableStream({
    start(controller) {
      controller.enqueue(new Uint8Array(10));
      controller.close();
    },
  });
  expect((await upload(endless, { duplex: 'half' } as RequestInit)).status).toBe(411);
  expect((await upload(new Uint8Array(100 * 1024 * 1024 + 1))).status).toBe(413);
});

it('that is cut in the middle leaves nothing, and the server goes on', async () => {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  const head = ['POST /v1.0/medias HTTP/1.1', `host: ${hostname}:${port}`, `authorization: Bearer ${server.accessKey}`];
  socket.write([...head, 'content-type: text/plain', 'content-length: 100000', '', ''].join('\r\n'));
  socket.write('x'.repeat(50_000));
  await new Promise<void>((resolve) => void socket.end(resolve));
  socket.destroy();
  const answer = await upload('whole');
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ size: 5, type: 'application/octet-stream' });
});
