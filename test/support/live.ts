import { exports } from 'cloudflare:workers';
import { expect } from 'vitest';
import { ORIGIN, type Json } from './hub.ts';

/** A reader of a live socket. `frames`: in the order of their arrival. */
export interface LiveSocket {
  frames: Json[];
  protocol: string | null;
  next(): Promise<Json>;
  nextText(): Promise<string>;
  take(count: number): Promise<Json[]>;
  send(data: string | Uint8Array): void;
  close(): void;
  /** The close code of the other side. */
  closed: Promise<number>;
}

export async function openSocket(path: string, headers: Record<string, string>): Promise<LiveSocket> {
  const response = await exports.default.fetch(`${ORIGIN}${path}`, { headers: { upgrade: 'websocket', ...headers } });
  const { webSocket } = response;
  if (!webSocket) throw new Error(`no socket: ${response.status} ${await response.text()}`);
  const texts: string[] = [];
  const waiting: (() => void)[] = [];
  webSocket.addEventListener('message', ({ data }) => {
    texts.push(String(data));
    waiting.splice(0).forEach((wake) => wake());
  });
  const closed = new Promise<number>((resolve) => webSocket.addEventListener('close', ({ code }) => resolve(code)));
  webSocket.accept();
  let read = 0;
  const nextText = async (): Promise<string> => {
    while (texts.length <= read) await new Promise<void>((resolve) => waiting.push(resolve));
    return texts[read++] ?? '';
  };
  const socket: LiveSocket = {
    frames: [],
    protocol: response.headers.get('sec-websocket-protocol'),
    nextText,
    next: async () => {
      const frame: Json = JSON.parse(await nextText());
      socket.frames.push(frame);
      return frame;
    },
    take: async (count) => {
      const taken: Json[] = [];
      while (taken.length < count) taken.push(await socket.next());
      return taken;
    },
    send: (data) => webSocket.send(data),
    close: () => webSocket.close(1000, 'done'),
    closed,
  };
  return socket;
}

export interface SseEvent {
  id: string;
  data: Json;
}

/** A reader of a stream of Server-Sent Events. It skips comments and `retry`. */
export async function readSse(
  path: string,
  headers: Record<string, string>,
): Promise<{ take(count: number): Promise<SseEvent[]>; cancel(): Promise<void> }> {
  const response = await exports.default.fetch(`${ORIGIN}${path}`, { headers });
  expect(response.status).toBe(200);
  const reader = (response.body ?? new ReadableStream<Uint8Array>()).pipeThrough(new TextDecoderStream()).getReader();
  let buffer = '';
  const nextEvent = async (): Promise<SseEvent> => {
    for (;;) {
      const end = buffer.indexOf('\n\n');
      if (end === -1) {
        const { value, done } = await reader.read();
        if (done) throw new Error('the stream ended');
        buffer += value;
        continue;
      }
      const block = buffer.slice(0, end);
      buffer = buffer.slice(end + 2);
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (data !== undefined) return { id: /^id: (.*)$/m.exec(block)?.[1] ?? '', data: JSON.parse(data) };
    }
  };
  return {
    take: async (count) => {
      const events: SseEvent[] = [];
      while (events.length < count) events.push(await nextEvent());
      return events;
    },
    cancel: () => reader.cancel(),
  };
}
