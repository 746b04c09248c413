/** A client of a running Parley for tests in Node: plain fetch, as a customer's software would use it. */

/** A JSON body that a test reads freely: a wrong path fails the test. */
// oxlint-disable-next-line typescript/no-explicit-any -- tests read answers of every shape
export type Json = any;

export interface Answer {
  status: number;
  headers: Headers;
  body: Json;
}

/** Makes one request. A body that is not a string is sent as JSON, and JSON answers are parsed. @throws when there is no answer. */
export type Call = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
  signal?: AbortSignal,
) => Promise<Answer>;

const PATIENCE_MS = 30_000;

/** Calls with a credential. Null: without one. */
export const callWith =
  (origin: string, credential: string | null): Call =>
  async (method, path, body, headers = {}, signal) => {
    const patience = AbortSignal.timeout(PATIENCE_MS);
    const content = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) };
    const response = await fetch(new URL(path, origin), {
      ...content,
      method,
      headers: {
        ...(credential === null ? {} : { authorization: `Bearer ${credential}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      redirect: 'manual',
      signal: signal ? AbortSignal.any([signal, patience]) : patience,
    });
    return { status: response.status, headers: response.headers, body: parse(await response.text()) };
  };

function parse(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The body of an answer that must be a 200. */
export async function ok(answer: Promise<Answer>): Promise<Json> {
  const { status, body } = await answer;
  if (status !== 200) throw new Error(`expected 200, got ${status}: ${JSON.stringify(body)}`);
  return body;
}

/** The status, followed by the reason if it is an error: `'403 PERMISSION_DENIED'`. */
export async function outcome(answer: Promise<Answer>): Promise<string> {
  const { status, body } = await answer;
  return [status, body?.error?.reason].filter((part) => part !== undefined).join(' ');
}

/** The rows of all pages of a list, newest first, as the API returns them. */
export async function everyRow(call: Call, path: string): Promise<Json[]> {
  const rows: Json[] = [];
  for (let token = ''; ;) {
    const separator = path.includes('?') ? '&' : '?';
    const page = await ok(call('GET', `${path}${separator}page_token=${encodeURIComponent(token)}`));
    rows.push(...page.result);
    token = page.next_page_token;
    if (token === '') return rows;
  }
}

/** Repeats the check until it passes. @throws its last error after `timeoutMs`. */
export async function eventually<T>(check: () => Promise<T> | T, timeoutMs = 10_000): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** A frame of a live stream: an event, `caught_up` or `resync`. */
export interface Frame {
  type: string;
  sequence: number;
  data?: Json;
}

export interface SseReader {
  status: number;
  /** The frames so far; `id` of each equals its sequence. */
  frames: Frame[];
  /** Frames that break the protocol, with the reason. */
  violations: string[];
  close(): void;
}

/** Opens a stream of Server-Sent Events and collects its frames. */
export async function openSse(
  origin: string,
  path: string,
  credential: string,
  headers: Record<string, string> = {},
): Promise<SseReader> {
  const stop = new AbortController();
  const authorization = `Bearer ${credential}`;
  const response = await fetch(new URL(path, origin), { headers: { authorization, ...headers }, signal: stop.signal });
  const reader: SseReader = { status: response.status, frames: [], violations: [], close: () => stop.abort() };
  if (response.status === 200 && response.body) void readEvents(response.body, reader);
  return reader;
}

/** Ends silently with the stream: a test checks the frames. */
async function readEvents(body: ReadableStream<Uint8Array>, { frames, violations }: SseReader): Promise<void> {
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for await (const chunk of body) {
      const blocks = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) readBlock(block, frames, violations);
    }
  } catch {
    // The test closed the stream, or the server stopped.
  }
}

function readBlock(block: string, frames: Frame[], violations: string[]): void {
  const fields = new Map(block.split('\n').map((line) => [line.split(':', 1)[0] ?? '', line.replace(/^\w*: ?/, '')]));
  const data = fields.get('data');
  if (data === undefined) return;
  const frame: Frame = JSON.parse(data);
  frames.push(frame);
  if (fields.get('id') !== String(frame.sequence)) violations.push(`the id of ${data} is ${fields.get('id')}`);
}

export const isEvent = (frame: Frame): boolean => frame.type !== 'caught_up' && frame.type !== 'resync';

/** 1, 2, … n: the sequences of a complete log. */
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
