import { z } from 'zod';

/** Held by the Worker, which is not billed for waiting, over a hibernatable socket of the object (facts/platform.md section 3.5). */
const HEARTBEAT_MS = 20_000;
const RECONNECT_MS = 3000;
/** Acknowledged in bundles: far below the object's narrowest window, and far fewer messages than events. */
const ACK_EVERY = 50;
const ACK_CHARACTERS = 16 * 1024;

const frameSchema = z.object({ type: z.string(), sequence: z.number().int().optional() });

/** Rewrites the socket's frames as Server-Sent Events. A reader that does not read holds back the acknowledgements, and so the object. */
export function sseResponse(socket: WebSocket, render: Render = asItIs): Response {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const encoder = new TextEncoder();
  let last = writer.write(encoder.encode(`retry: ${RECONNECT_MS}\n\n`));
  const write = (text: string) => {
    last = last.then(() => writer.write(encoder.encode(text)));
    return last.catch(() => socket.close(1000, 'reader gone'));
  };
  const heartbeat = setInterval(() => void write(': still here\n\n'), HEARTBEAT_MS);
  const acknowledge = acknowledger(socket);
  socket.addEventListener('message', ({ data }) => {
    const frame = typeof data === 'string' ? readFrame(data, render) : null;
    if (frame) void write(frame.text).then(() => acknowledge(frame.sequence, frame.text.length));
  });
  socket.addEventListener('close', () => {
    clearInterval(heartbeat);
    void last.then(() => writer.close()).catch(() => undefined);
  });
  socket.accept();
  return new Response(readable, {
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    },
  });
}

/** An event's data in a dialect's own form; null for a frame that it has no event for. `data` is the frame as it came. */
type Render = (frame: unknown, data: string) => string | null;

const asItIs: Render = (_, data) => data;

const CONTROL = new Set(['caught_up', 'resync']);

/** The frame as one event; `id` is what the client comes back with. JSON has no line breaks of its own. */
function readFrame(data: string, render: Render): { text: string; sequence: number } | null {
  const raw: unknown = JSON.parse(data);
  const frame = frameSchema.safeParse(raw);
  if (!frame.success || frame.data.sequence === undefined) return null;
  const { type, sequence } = frame.data;
  const rendered = render(raw, data);
  if (rendered !== null) return { text: `id: ${sequence}\ndata: ${rendered}\n\n`, sequence };
  // In a dialect that knows no control frames they have a name, so that `onmessage` does not see them.
  const named = CONTROL.has(type) ? `event: ${type}\ndata: ${data}\n` : '';
  return { text: `id: ${sequence}\n${named}\n`, sequence };
}

/** Told of each event that was written, and of its size. */
function acknowledger(socket: WebSocket): (sequence: number, characters: number) => void {
  let events = 0;
  let characters = 0;
  return (sequence, size) => {
    events += 1;
    characters += size;
    if (events < ACK_EVERY && characters < ACK_CHARACTERS) return;
    [events, characters] = [0, 0];
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: 'ack', sequence }));
  };
}
