import { z } from 'zod';

/** Held by the Worker, which is not billed for waiting, over a hibernatable socket of the object (facts/platform.md section 3.5). */
const HEARTBEAT_MS = 20_000;
const RECONNECT_MS = 3000;
/** Acknowledged in bundles: far below the object's narrowest window, and far fewer messages than events. */
const ACK_EVERY = 50;
const ACK_CHARACTERS = 16 * 1024;

const frameSchema = z.object({ type: z.string(), sequence: z.number().int().optional(), data: z.unknown().optional() });

/**
 * `frames`: an event's data is the frame as it came, control frames too. `events`: it is what stands in a frame of type `event`; control
 * frames have a name, so that `onmessage` does not see them, and others move `id` alone.
 */
type Form = 'frames' | 'events';

/** Rewrites the socket's frames as Server-Sent Events. A reader that does not read holds back the acknowledgements, and so the object. */
export function sseResponse(socket: WebSocket, form: Form = 'frames'): Response {
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
    const frame = typeof data === 'string' ? readFrame(data, form) : null;
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

const CONTROL = new Set(['caught_up', 'resync']);

/** The frame as one event; `id` is what the client comes back with. JSON has no line breaks of its own. */
function readFrame(text: string, form: Form): { text: string; sequence: number } | null {
  const frame = frameSchema.safeParse(JSON.parse(text));
  if (!frame.success || frame.data.sequence === undefined) return null;
  const { sequence } = frame.data;
  return {
    text: `id: ${sequence}\n${form === 'frames' ? `data: ${text}\n` : eventLines(frame.data, text)}\n`,
    sequence,
  };
}

function eventLines({ type, data }: z.infer<typeof frameSchema>, text: string): string {
  if (type === 'event') return `data: ${JSON.stringify(data)}\n`;
  return CONTROL.has(type) ? `event: ${type}\ndata: ${text}\n` : '';
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
