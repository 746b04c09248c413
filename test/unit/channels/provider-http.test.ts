import { expect, test } from 'vitest';
import { callProvider, outcomeOf, type AnswerReader } from '../../../src/channels/provider-http.ts';
import { accountOf, io } from './support.ts';

const reader: AnswerReader = { accepted: () => ({ kind: 'accepted', providerId: 'p' }), fault: () => null };

const answered = async (response: Response) => {
  const call = await callProvider(
    { ...io('https://p.example'), fetch: () => Promise.resolve(response) },
    'https://p.example',
    {},
  );
  return { call, outcome: outcomeOf(call, reader, accountOf('line')) };
};

test('reads 64 KB of an answer and no more', async () => {
  let pulled = 0;
  const endless = new ReadableStream({
    pull(controller) {
      pulled++;
      controller.enqueue(new TextEncoder().encode('한'.repeat(10_000)));
    },
  });
  const { call } = await answered(new Response(endless));
  expect(call.kind === 'answer' && new TextEncoder().encode(call.text).length).toBeLessThanOrEqual(64 * 1024);
  expect(pulled).toBeLessThan(10);
});

test.each([
  [{ 'retry-after': '3' }, 3000],
  [{ 'retry-after': 'Sat, 21 Nov 2026 10:01:00 GMT', date: 'Sat, 21 Nov 2026 10:00:00 GMT' }, 60_000],
  [{ 'retry-after': 'Sat, 21 Nov 2026 09:00:00 GMT', date: 'Sat, 21 Nov 2026 10:00:00 GMT' }, 0],
  [{ 'retry-after': 'soon', date: 'Sat, 21 Nov 2026 10:00:00 GMT' }, null],
  [{ 'retry-after': 'Sat, 21 Nov 2026 10:01:00 GMT' }, null],
  [{}, null],
] as [Record<string, string>, number | null][])('Retry-After %o waits %s ms', async (headers, retryAfterMs) => {
  const { outcome } = await answered(new Response('', { status: 429, headers }));
  expect(outcome).toEqual({ kind: 'retry', code: 'HTTP_429', text: 'the provider answered 429', retryAfterMs });
});

test('an answer that stops halfway still counts by its status', async () => {
  let pulls = 0;
  const broken = () =>
    new ReadableStream({
      pull(controller) {
        if (pulls++ % 2 === 0) controller.enqueue(new TextEncoder().encode('{"id":'));
        else controller.error(new Error('lost'));
      },
    });
  expect((await answered(new Response(broken(), { status: 200 }))).outcome.kind).toBe('accepted');
  expect((await answered(new Response(broken(), { status: 400 }))).outcome.kind).toBe('rejected');
});

test('a timeout is told from a lost connection', async () => {
  const failing = (error: unknown) =>
    callProvider({ ...io('https://p.example'), fetch: () => Promise.reject(error) }, 'https://p.example', {});
  expect(await failing(new DOMException('', 'TimeoutError'))).toMatchObject({ refused: false, code: 'TIMEOUT' });
  expect(await failing(new DOMException('', 'AbortError'))).toMatchObject({ refused: false, code: 'TIMEOUT' });
  expect(
    await failing(new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: 'ENOTFOUND' }) })),
  ).toMatchObject({ refused: true, code: 'UNREACHABLE' });
  expect(
    await failing(new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: 'ECONNRESET' }) })),
  ).toMatchObject({ refused: false, code: 'CONNECTION_LOST' });
  expect(await failing('not even an error')).toMatchObject({ refused: false, code: 'CONNECTION_LOST' });
});
