import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type AssistantFake, startAssistant } from '../fakes/assistant.ts';
import { startTwilio, type TwilioFake, twilioMessage, twilioRequest, twilioStatus } from '../fakes/providers.ts';
import { eventually, type Json, ok } from '../support/http.ts';
import { startServer, type TestServer } from '../support/server.ts';

/** People, flows and assistants in one conversation, against a running server, a provider and an assistant that are programs of their own. */
const ACCOUNT_SID = `AC${randomBytes(16).toString('hex')}`;
const AUTH_TOKEN = randomBytes(16).toString('hex');
const PATIENT_MS = 60_000;

let server: TestServer;
let twilio: TwilioFake;
let assistant: AssistantFake;
let assistantId: string;
/** How long the assistant thinks; a test may change it. */
let thinkMs = () => 0;

beforeAll(async () => {
  twilio = await startTwilio({ accountSid: ACCOUNT_SID, authToken: AUTH_TOKEN });
  assistant = await startAssistant(async ({ messages }) => {
    await sleep(thinkMs());
    return { text: `assistant: ${messages.map(({ text }: Json) => text).join('+')}` };
  });
  server = await startServer(['--var', `TWILIO_API_BASE:${twilio.url}`]);
  const made = await ok(server.call('POST', '/v1.0/assistants', { name: 'Ada', webhook_url: assistant.url }));
  assistantId = made.id;
  assistant.trust(made.webhook_secret);
});

afterAll(async () => {
  await Promise.all([server?.dispose(), twilio?.close(), assistant?.close()]);
});

afterEach(() => {
  expect([...twilio.violations, ...assistant.violations]).toEqual([]);
});

let numbers = 0;
const newNumber = (): string => `+1555777${String((numbers += 1)).padStart(4, '0')}`;

interface Line {
  number: string;
  hookUrl: string;
}

/** A Twilio account with somebody who answers. */
async function newLine(automation: Json): Promise<Line> {
  const number = newNumber();
  const provider_data = { provider: 'twilio', account_sid: ACCOUNT_SID, number };
  const account = { type: 'sms', token: AUTH_TOKEN, provider_data, ...automation };
  const { hook_url: hookUrl } = await ok(server.call('POST', '/v1.0/conversation_accounts', account));
  return { number, hookUrl };
}

const newFlow = async (actions: Json[], fenced = false): Promise<Json> =>
  ok(server.call('POST', '/v1.0/flows', { name: 'Flow', actions, fenced }));

const send = (text: string): Json => ({ type: 'conversation_send', option: { text } });
const rest = (duration: number): Json => ({ type: 'sleep', option: { duration } });

async function says({ number, hookUrl }: Line, contact: string, text: string): Promise<void> {
  const request = twilioRequest(AUTH_TOKEN, hookUrl, twilioMessage(ACCOUNT_SID, contact, number, text));
  expect((await server.as(null)('POST', hookUrl, request.body, request.headers)).status).toBe(200);
}

const conversationOf = (contact: string): Promise<string> =>
  eventually(async () => {
    const page = await ok(server.call('GET', `/v1.0/conversations?peer=${encodeURIComponent(contact)}`));
    expect(page.result.length).toBeGreaterThan(0);
    return page.result[0].id;
  });

const receivedBy = (contact: string): string[] =>
  twilio.received.filter(({ to }) => to === contact).map(({ text }) => text);
const activeflowsOf = async (id: string): Promise<Json[]> =>
  (await ok(server.call('GET', `/v1.0/activeflows?reference_id=${id}`))).result;

describe('several messages in a row', () => {
  it('are answered once, and the answer saw them all', async () => {
    const line = await newLine({ assistant_id: assistantId });
    const contact = newNumber();
    const before = assistant.asked.length;
    for (const text of ['one', 'two', 'three', 'four', 'five']) await says(line, contact, text);
    await eventually(() => expect(receivedBy(contact)).toEqual(['assistant: one+two+three+four+five']), PATIENT_MS);
    expect(assistant.asked.slice(before)).toHaveLength(1);
  });
});

describe('a takeover', () => {
  const ROUNDS = 20;
  /** Somewhere between the contact's message and the last thing that automation would say to it. */
  const moment = (): number => Math.random() * 3500;

  /** What reached the contact until the takeover was acknowledged. */
  async function takeOver(contact: string): Promise<number> {
    const id = await conversationOf(contact);
    await sleep(moment());
    await ok(server.call('PUT', `/v1.0/conversations/${id}`, { ai_mode: 'human' }));
    return receivedBy(contact).length;
  }

  it('lets nothing of an assistant or a fenced flow reach the provider once it is acknowledged, in 20 races; other flows go on', async () => {
    thinkMs = () => Math.random() * 1500;
    const chatty = [send('1'), rest(300), send('2'), rest(300), send('3'), rest(300), send('4')];
    const lines = {
      assistant: await newLine({ assistant_id: assistantId }),
      fenced: await newLine({ message_flow_id: (await newFlow(chatty, true)).id }),
      free: await newLine({ message_flow_id: (await newFlow(chatty)).id }),
    };
    const races: { kind: keyof typeof lines; contact: string; acknowledged: number }[] = [];
    const race = async (kind: keyof typeof lines): Promise<void> => {
      const contact = newNumber();
      await says(lines[kind], contact, 'hello');
      races.push({ kind, contact, acknowledged: await takeOver(contact) });
    };
    // A few at a time: the local runtime's queues and workflows are one process.
    for (let round = 0; round < ROUNDS; round += 5) {
      const kinds = Array.from({ length: 5 }, () => ['assistant', 'fenced'] as const).flat();
      await Promise.all([...kinds.map(race), race('free')]);
    }
    for (const { contact } of races.filter(({ kind }) => kind === 'free')) {
      await eventually(() => expect(receivedBy(contact)).toEqual(['1', '2', '3', '4']), PATIENT_MS);
    }
    for (const { kind, contact } of races.filter((each) => each.kind !== 'free')) {
      const id = await conversationOf(contact);
      // Whatever of theirs was under way has ended by now: sent, or refused.
      await eventually(async () => {
        const { result } = await ok(server.call('GET', `/v1.0/conversations/${id}/messages`));
        expect(result.filter(({ status }: Json) => status === 'progressing')).toEqual([]);
        if (kind === 'fenced')
          expect(await activeflowsOf(id)).toMatchObject([{ status: expect.not.stringMatching('running') }]);
      }, PATIENT_MS);
    }
    const late = races.filter(
      ({ kind, contact, acknowledged }) => kind !== 'free' && receivedBy(contact).length > acknowledged,
    );
    expect(late).toEqual([]);
    // Neither always too late nor always too early: the races were races.
    const spoke = races.filter(({ kind, acknowledged }) => kind !== 'free' && acknowledged > 0).length;
    expect(spoke).toBeGreaterThan(0);
    expect(spoke).toBeLessThan(ROUNDS * 2);
  }, 240_000);

  it('is answered although the provider hangs with a message of the assistant, and that is not repeated', async () => {
    thinkMs = () => 0;
    const line = await newLine({ assistant_id: assistantId });
    const contact = newNumber();
    twilio.failNext({ kind: 'hang' });
    const attempts = twilio.attempts();
    await says(line, contact, 'hello');
    await eventually(() => expect(twilio.attempts()).toBe(attempts + 1), PATIENT_MS);
    const id = await conversationOf(contact);
    await ok(server.call('PUT', `/v1.0/conversations/${id}`, { ai_mode: 'human' }));
    await eventually(async () => {
      const { result } = await ok(server.call('GET', `/v1.0/conversations/${id}/messages`));
      expect(result[0]).toMatchObject({
        status: 'failed',
        deliveries: [{ error: { code: 'MODE_CHANGED' }, uncertain: true }],
      });
    }, PATIENT_MS);
    expect(twilio.attempts()).toBe(attempts + 1);
  });
});

describe('STOP', () => {
  it('as the provider knows it, at once or in a later receipt, is a 422 in this conversation and in the next, until START', async () => {
    const line = await newLine({});
    const reply = (id: string) => server.call('POST', `/v1.0/conversations/${id}/messages`, { text: 'our news' });
    const refusal = { code: 21610, message: 'Attempt to send to unsubscribed recipient', status: 400 };

    const atOnce = newNumber();
    await says(line, atOnce, 'hello');
    const first = await conversationOf(atOnce);
    twilio.failNext({ kind: 'status', status: 400, body: JSON.stringify(refusal) });
    await ok(reply(first));
    await eventually(async () => expect((await reply(first)).status).toBe(422));

    const later = newNumber();
    await says(line, later, 'hello');
    const second = await conversationOf(later);
    await ok(reply(second));
    const { id, statusCallbackUrl } = await eventually(() => {
      const found = twilio.received.find(({ to }) => to === later);
      if (!found) throw new Error('not sent');
      return found;
    });
    const status = twilioStatus(ACCOUNT_SID, id, 'undelivered', { ErrorCode: '21610' });
    const receipt = twilioRequest(AUTH_TOKEN, statusCallbackUrl, status);
    expect((await server.as(null)('POST', statusCallbackUrl, receipt.body, receipt.headers)).status).toBe(200);
    expect(await reply(second)).toMatchObject({ status: 422, body: { error: { reason: 'CONTACT_OPTED_OUT' } } });

    for (const [contact, conversation] of [
      [atOnce, first],
      [later, second],
    ] as const) {
      await ok(server.call('PUT', `/v1.0/conversations/${conversation}`, { ai_mode: 'closed' }));
      await says(line, contact, 'hello again');
      const next = await eventually(async () => {
        const found = await conversationOf(contact);
        expect(found).not.toBe(conversation);
        return found;
      });
      expect((await reply(next)).status).toBe(422);
      await says(line, contact, 'START');
      const sent = await ok(reply(next));
      await eventually(() => expect(receivedBy(contact).at(-1)).toBe('our news'));
      expect(sent.conversation_id).toBe(next);
    }
  });
});

describe('a flow that sleeps', () => {
  it('goes on where it was after kill -9 of the runtime and of everything, and sends once', async () => {
    const call = (path: string, text: string) =>
      server.call(
        'POST',
        path,
        { account_id: server.sandboxAccount, from: newNumber(), text },
        { 'idempotency-key': randomUUID() },
      );
    const flow = await newFlow([send('before'), rest(4000), send('between'), rest(4000), send('after')]);
    await ok(server.call('PUT', `/v1.0/conversation_accounts/${server.sandboxAccount}`, { message_flow_id: flow.id }));
    const { conversation_id: id } = await ok(call('/v1.0/sandbox/inbound', 'hello'));
    const phone = async (): Promise<string[]> => {
      await server.fireCron();
      const { result } = await ok(server.call('GET', `/v1.0/sandbox/outbox?account_id=${server.sandboxAccount}`));
      return result.map(({ text }: Json) => text).toReversed();
    };
    await eventually(async () => expect(await phone()).toEqual(['before']), PATIENT_MS);
    await server.kill();
    await server.start();
    await eventually(async () => expect(await phone()).toEqual(['before', 'between']), PATIENT_MS);
    await server.killRuntime();
    await eventually(async () => expect(await phone()).toEqual(['before', 'between', 'after']), PATIENT_MS);
    const [activeflow] = await eventually(async () => {
      const found = await activeflowsOf(id);
      expect(found).toMatchObject([{ status: 'ended', error: '' }]);
      return found;
    });
    expect(activeflow.executed_actions.map(({ type, outcome }: Json) => [type, outcome])).toEqual([
      ['conversation_send', 'done'],
      ['sleep', 'done'],
      ['conversation_send', 'done'],
      ['sleep', 'done'],
      ['conversation_send', 'done'],
    ]);
    const { result } = await ok(server.call('GET', `/v1.0/conversations/${id}/messages`));
    expect(result.map(({ text }: Json) => text).toReversed()).toEqual(['hello', 'before', 'between', 'after']);
    expect(await phone()).toEqual(['before', 'between', 'after']);
  }, 240_000);
});
