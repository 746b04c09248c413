import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  lineBody,
  type LineFake,
  lineRequest,
  lineText,
  startLine,
  telnyxReceived,
  type TelnyxSigner,
  telnyxSigner,
} from '../fakes/providers.ts';
import { eventually, everyRow, type Frame, isEvent, type Json, ok, openSse, upTo } from '../support/http.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { startServer, type TestServer } from '../support/server.ts';

/**
 * "It shows" 9: kill -9 in the middle of the work, ten times. Clients do what careful clients do: a request without an answer
 * is made again, with the same provider id or Idempotency-Key. In the end nothing acknowledged is lost and nothing is doubled.
 */
const ROUNDS = 10;
const LOAD_MS = 1500;
const CLIENTS = 8;
const CONTACTS = 8;
/** A round's crash comes after so many new acknowledgements, or after LOAD_MS: in the middle of the work on any machine. */
const FEWEST = 10;
const MOST = 70;
const QUIET_MS = 120_000;
const LINE_SECRET = 'both-the-secret-and-the-token';
const HOOK_NUMBER = '+15550100009';

type Kind = 'hook' | 'sandbox' | 'reply';

/** One thing that a client wants done, exactly once. */
interface Operation {
  kind: Kind;
  contact: string;
  conversation: string;
  text: string;
  /** The provider's id, or the Idempotency-Key: the same over all tries. */
  key: string;
  tries: number;
  acknowledged: Json;
}

let server: TestServer;
let receiver: Receiver;
let signer: TelnyxSigner;
let hookUrl: string;
let line: LineFake;
let lineHookUrl: string;
/** Messages that LINE took just before a crash, and whose answer the crash swallowed. */
const swallowed: { text: string; conversation: string }[] = [];
const conversations = new Map<string, string>();
const operations: Operation[] = [];
/** Answers that no crash excuses. */
const surprises: string[] = [];
/** Tries that got no answer, or one that says "later"; of each round. */
const unanswered: number[] = [];

/** Those who write to the sandbox's number and are answered, and those whose messages come by a provider's signed hook. */
const answered = Array.from({ length: CONTACTS }, (_, index) => `+1555888000${index}`);
const hooked = Array.from({ length: CONTACTS }, (_, index) => `+1555888100${index}`);
const contacts = [...answered, ...hooked];

beforeAll(async () => {
  signer = telnyxSigner();
  line = await startLine({ channelAccessToken: LINE_SECRET });
  const args = ['--var', `LINE_API_BASE:${line.url}`];
  [server, receiver] = await Promise.all([startServer(args), startReceiver()]);
  receiver.trust((await ok(server.call('POST', '/v1.0/webhook_endpoints', { url: receiver.url }))).secret);
  const account = {
    type: 'sms',
    secret: signer.publicKey,
    token: 'unused',
    provider_data: { provider: 'telnyx', number: HOOK_NUMBER },
  };
  hookUrl = (await ok(server.call('POST', '/v1.0/conversation_accounts', account))).hook_url;
  const lineAccount = { type: 'line', secret: LINE_SECRET, token: LINE_SECRET };
  lineHookUrl = (await ok(server.call('POST', '/v1.0/conversation_accounts', lineAccount))).hook_url;
  for (const contact of contacts) {
    const operation = newOperation(hooked.includes(contact) ? 'hook' : 'sandbox', contact, 'opens');
    await perform(operation, AbortSignal.timeout(10_000));
    conversations.set(contact, await conversationOf(contact));
  }
});

afterAll(async () => {
  await Promise.all([server?.dispose(), receiver?.close(), line?.close()]);
});

const conversationOf = (contact: string): Promise<string> =>
  eventually(async () => {
    const page = await ok(server.call('GET', `/v1.0/conversations?peer=${encodeURIComponent(contact)}`));
    expect(page.result).toHaveLength(1);
    return page.result[0].id;
  });

const KINDS: Kind[] = ['hook', 'reply', 'sandbox', 'reply'];

function newOperation(kind: Kind, contact: string, name: string): Operation {
  const text = `${name} ${kind} ${operations.length}`;
  const conversation = conversations.get(contact) ?? '';
  const operation: Operation = { kind, contact, conversation, text, key: randomUUID(), tries: 0, acknowledged: null };
  operations.push(operation);
  return operation;
}

/** Until the next crash: @returns whether the operation is acknowledged. */
async function perform(operation: Operation, signal: AbortSignal): Promise<boolean> {
  operation.tries += 1;
  try {
    const { status, body } = await request(operation, signal);
    if (status === 200) operation.acknowledged = body;
    else if (status >= 500 || status === 429) countUnanswered();
    else surprises.push(`${operation.text}: ${status} ${JSON.stringify(body)}`);
    return status === 200;
  } catch {
    countUnanswered();
    return false;
  }
}

const countUnanswered = (): void => void unanswered.push((unanswered.pop() ?? 0) + 1);

const acknowledged = (): number => operations.filter((operation) => operation.acknowledged !== null).length;

function request({ kind, contact, conversation, text, key }: Operation, signal: AbortSignal) {
  const once = { 'idempotency-key': key };
  if (kind === 'reply')
    return server.call('POST', `/v1.0/conversations/${conversation}/messages`, { text }, once, signal);
  if (kind === 'sandbox') {
    const body = { account_id: server.sandboxAccount, from: contact, text };
    return server.call('POST', '/v1.0/sandbox/inbound', body, once, signal);
  }
  const { body, headers } = signer.request(telnyxReceived(contact, HOOK_NUMBER, text, { id: key }));
  return server.as(null)('POST', hookUrl, body, headers, signal);
}

/** The clients' day: new work and what stayed without an answer, until the crash cuts every connection. */
async function work(round: number, crash: AbortSignal): Promise<void> {
  const pending = operations.filter(({ acknowledged }) => acknowledged === null);
  const next = (): Operation | undefined => {
    const kind = KINDS[operations.length % KINDS.length];
    const contact = (kind === 'hook' ? hooked : answered)[Math.floor(Math.random() * CONTACTS)];
    if (contact === undefined || kind === undefined) return undefined;
    return pending.shift() ?? newOperation(kind, contact, `r${round}`);
  };
  const client = async (): Promise<void> => {
    for (let operation = next(); operation && !crash.aborted; operation = next()) {
      if (await perform(operation, crash)) continue;
      pending.push(operation);
      await sleep(50);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
}

/** Not blind: some work done, and a point of time that differs from round to round. */
async function untilBusy(): Promise<void> {
  const end = Date.now() + LOAD_MS;
  const enough = acknowledged() + FEWEST + Math.random() * (MOST - FEWEST);
  while (acknowledged() < enough && Date.now() < end) await sleep(5);
}

/** The next sends hang at their provider, so that the crash finds attempts whose outcome nobody will ever report. */
const hangSends = (): Promise<Json> =>
  ok(server.call('POST', '/v1.0/sandbox/faults', { account_id: server.sandboxAccount, count: 2, kind: 'timeout' }));

/** A message that its provider accepts without ever answering: only the retry key can tell afterwards that it was accepted. */
async function swallowAnswer(round: number): Promise<void> {
  const contact = `U${randomBytes(16).toString('hex')}`;
  const { body, headers } = lineRequest(LINE_SECRET, lineBody(lineText(contact, 'hi', { replyToken: undefined })));
  expect((await server.as(null)('POST', lineHookUrl, body, headers)).status).toBe(200);
  const conversation = await conversationOf(contact);
  const text = `swallowed ${round}`;
  // By its text: the repeat of an earlier round's message may come in between, and must not take the failure.
  line.failNext({ kind: 'accept-hang' }, 1, text);
  await ok(server.call('POST', `/v1.0/conversations/${conversation}/messages`, { text }));
  // The local queue brings one batch at a time, and a send of the one before may hang for as long as a provider may.
  await eventually(() => expect(line.received.map((received) => received.text)).toContain(text), QUIET_MS);
  swallowed.push({ text, conversation });
}

/** wrangler brings a killed runtime back by itself. */
const untilHealthy = (): Promise<void> =>
  eventually(async () => expect((await fetch(`${server.url}/healthz`)).status).toBe(200), 30_000);

/** Everything that is left, with the server alive. */
async function finishWork(): Promise<void> {
  await eventually(async () => {
    const pending = operations.filter(({ acknowledged }) => acknowledged === null);
    for (const operation of pending) await perform(operation, AbortSignal.timeout(10_000));
    expect(operations.filter(({ acknowledged }) => acknowledged === null)).toEqual([]);
  }, 60_000);
}

async function everyEvent(): Promise<Json[]> {
  const events: Json[] = [];
  for (let after = '0'; ;) {
    const page = await ok(server.call('GET', `/v1.0/events?after=${after}`));
    if (page.result.length === 0) return events;
    events.push(...page.result);
    after = page.next_page_token;
  }
}

async function replay(conversation: string): Promise<Frame[]> {
  const reader = await openSse(server.url, `/v1.0/conversations/${conversation}/stream?after=0`, server.accessKey);
  await eventually(() => expect(reader.frames.at(-1)?.type).toBe('caught_up'));
  reader.close();
  return reader.frames.filter(isEvent);
}

const messagesOf = async (contact: string): Promise<Json[]> =>
  (await everyRow(server.call, `/v1.0/conversations/${conversations.get(contact)}/messages`)).toReversed();

const expected = (contact: string, ...kinds: Kind[]): string[] =>
  operations
    .filter((operation) => operation.contact === contact && kinds.includes(operation.kind))
    .map(({ text }) => text)
    .toSorted();

describe('kill -9 in the middle of the work', () => {
  it('loses no acknowledged message, doubles none, keeps every order, and brings every event to the webhook', async () => {
    for (let round = 1; round <= ROUNDS; round++) {
      await untilHealthy();
      if (round % 3 === 0) {
        await hangSends();
        await swallowAnswer(round);
      }
      const crash = new AbortController();
      unanswered.push(0);
      const working = work(round, crash.signal);
      await untilBusy();
      // In turn the Worker's runtime alone, and everything that `npm start` has started.
      const whole = round % 2 === 0;
      await (whole ? server.kill() : server.killRuntime());
      crash.abort();
      await working;
      if (whole) await server.start();
    }
    // Each crash hit some requests, or nothing is shown below.
    expect(unanswered.filter((count) => count === 0)).toEqual([]);
    await finishWork();
    expect(surprises).toEqual([]);

    const outgoing = operations.filter(({ kind }) => kind === 'reply').length;
    await eventually(async () => {
      const rows = (await Promise.all(contacts.map(messagesOf))).flat();
      const sent = rows.filter(({ direction }) => direction === 'outgoing');
      expect(sent).toHaveLength(outgoing);
      expect(sent.filter(({ status }) => status !== 'done')).toEqual([]);
    }, QUIET_MS);

    const logged: Frame[] = [];
    const attempts: number[] = [];
    for (const { text, conversation } of swallowed) {
      const [sent] = await eventually(async () => {
        const { result } = await ok(server.call('GET', `/v1.0/conversations/${conversation}/messages`));
        expect(result[0]).toMatchObject({ text, status: 'done' });
        return result;
      }, QUIET_MS);
      expect(sent.deliveries[0].attempts).toBeGreaterThan(1);
      expect(line.received.filter((received) => received.text === text)).toHaveLength(1);
      logged.push(...(await replay(conversation)));
    }
    expect(line.violations).toEqual([]);

    const phone = (
      await everyRow(server.call, `/v1.0/sandbox/outbox?account_id=${server.sandboxAccount}`)
    ).toReversed();
    for (const contact of contacts) {
      const conversation = conversations.get(contact) ?? '';
      expect(await conversationOf(contact)).toBe(conversation);

      const messages = await messagesOf(contact);
      const textsOf = (direction: string): string[] =>
        messages.filter((row) => row.direction === direction).map(({ text }) => text);
      expect(textsOf('incoming').toSorted()).toEqual(expected(contact, 'hook', 'sandbox'));
      expect(textsOf('outgoing').toSorted()).toEqual(expected(contact, 'reply'));

      const frames = await replay(conversation);
      expect(frames.map(({ sequence }) => sequence)).toEqual(upTo(frames.length));
      const created = frames.filter(({ type }) => type === 'conversation_message_created');
      expect(created.map(({ data }) => data.id)).toEqual(messages.map(({ id }) => id));
      logged.push(...frames);
      attempts.push(...messages.flatMap(({ deliveries }) => deliveries.map((delivery: Json) => delivery.attempts)));

      const received = phone.filter(({ to }) => to === contact).map(({ text }) => text);
      expect(received).toEqual(textsOf('outgoing'));
    }
    // Some attempts did die with the runtime, and were made again.
    expect(Math.max(...attempts)).toBeGreaterThan(1);

    // What was acknowledged with an id is there under that id.
    const ids = new Set((await Promise.all(contacts.map(messagesOf))).flat().map(({ id }) => id));
    const named = operations.filter(({ kind }) => kind !== 'hook').map((operation) => operation.acknowledged);
    expect(named.filter((body) => !ids.has(body.message_id ?? body.id))).toEqual([]);

    const events = await eventually(async () => {
      const found = await everyEvent();
      // Each frame of the streams is one event of the same name; some stand for one more (…_received, …_sent).
      expect(found.filter(({ type }) => !/_(received|sent)$/.test(type))).toHaveLength(logged.length);
      return found;
    });
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
    await eventually(async () => {
      await server.fireCron();
      const delivered = new Set(receiver.requests.map(({ id }) => id));
      expect(events.filter(({ id }) => !delivered.has(id)).length).toBe(0);
    }, QUIET_MS);
    const known = new Set(events.map(({ id }) => id));
    expect(receiver.requests.filter(({ id }) => !known.has(id))).toEqual([]);
    expect(receiver.complaints).toEqual([]);
  }, 280_000);
});
