import { setTimeout as sleep } from 'node:timers/promises';

export interface Answer {
  status: number;
  body: unknown;
}

/** A JSON request with a credential. Redirects are not followed: they could carry the credential elsewhere. */
export async function call(url: string, token: string, post?: { body: unknown; key?: string }): Promise<Answer> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const response = await fetch(url, {
    method: post ? 'POST' : 'GET',
    headers: post?.key ? { ...headers, 'idempotency-key': post.key } : headers,
    body: post ? JSON.stringify(post.body) : null,
    redirect: 'manual',
    signal: AbortSignal.timeout(30_000),
  });
  return { status: response.status, body: parseJson(await response.text()) };
}

/** The string at a path in a response body. A failed request becomes an error with the server's message. */
export function textAt(answer: Answer, ...path: string[]): string {
  if (answer.status >= 300) throw new Error(`The server answered ${answer.status}: ${reasonOf(answer)}`);
  const value = at(answer.body, path);
  if (typeof value !== 'string') throw new Error(`The server's answer has no ${path.join('.')}.`);
  return value;
}

export async function waitUntilHealthy(origin: string, signal: AbortSignal): Promise<void> {
  const until = AbortSignal.any([signal, AbortSignal.timeout(120_000)]);
  while (!until.aborted) {
    if (await isHealthy(origin)) return;
    await sleep(200);
  }
  throw new Error(`The server did not answer GET ${origin}/healthz with 200.`);
}

const isHealthy = (origin: string): Promise<boolean> =>
  fetch(`${origin}/healthz`, { signal: AbortSignal.timeout(5_000) }).then(
    (response) => response.status === 200,
    () => false,
  );

function reasonOf({ body }: Answer): string {
  const message = at(body, ['error', 'message']);
  return typeof message === 'string' ? message : JSON.stringify(body);
}

function at(value: unknown, path: string[]): unknown {
  return path.reduce<unknown>((node, name) => (isRecord(node) ? node[name] : undefined), value);
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
