import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Call,
  eventually,
  everyRow,
  type Frame,
  isEvent,
  type Json,
  ok,
  openSse,
  outcome,
  type SseReader,
  upTo,
} from '../support/http.ts';
import { idsOf, type Receiver, startReceiver } from '../support/receiver.ts';
import { startServer, type TestServer } from '../support/server.ts';

/** What a newcomer does with the block that `npm start` prints: "It shows" 1 and 2. */
let server: TestServer;
let endpoint: Receiver;
let customerHook: Receiver;

beforeAll(async () => {
  [server, endpoint, customerHook] = await Promise.all([startServer(), startReceiver(), startReceiver()]);
});

afterAll(async () => {
  await Promise.all([server?.dispose(), endpoint?.close(), customerHook?.close()]);
});

let contacts = 0;
const newContact = (): string => `+1555777${String((contacts += 1)).padStart(4, '0')}`;

const write = (from: string, text: string, headers: Record<string, string> = {}): Promise<Json> =>
  ok(server.call('POST', '/v1.0/sandbox/inbound', { account_id: server.sandboxAccount, from, text }, headers));

const reply = (conversation: string, text: string, headers: Record<string, string> = {}): Promise<Json> =>
  ok(server.call('POST', `/v1.0/conversations/${conversation}/messages`, { text }, headers));

const read = (conversation: string): Promise<Json> => ok(server.call('GET', `/v1.0/conversations/${conversation}`));

const untilStatus = (conversation: string, message: string, status: string): Promise<Json> =>
  eventually(async () => {
    const found = await ok(server.call('GET', `/v1.0/conversations/${conversation}/messages/${message}`));
    expect(found.status).toBe(status);
    return found;
  });

/** The texts on one contact's phone, oldest first. */
async function phoneOf(contact: string): Promise<string[]> {
  const rows = await everyRow(server.call, `/v1.0/sandbox/outbox?account_id=${server.sandboxAccount}`);
  return rows
    .filter(({ to }) => to === contact)
    .map(({ text }) => text)
    .toReversed();
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

const isAbout = ({ data }: Json, conversation: string): boolean =>
  data.id === conversation || data.conversation_id === conversation;

async function login(username: string): Promise<{ token: string; call: Call; id: string }> {
  const { token } = await ok(server.as(null)('POST', '/auth/login', { username, password: username }));
  const call = server.as(token);
  return { token, call, id: (await ok(call('GET', '/v1.0/me'))).id };
}

describe('a conversation from the first message to the contact’s phone', () => {
  it('the contact writes, a conversation is there, the reply becomes done and is on the phone', async () => {
    const contact = newContact();
    const { conversation_id: id, message_id } = await write(contact, 'Is it open today?');
    const listed = await ok(server.call('GET', `/v1.0/conversations?peer=${encodeURIComponent(contact)}`));
    expect(listed.result.map((row: Json) => row.id)).toEqual([id]);
    const [incoming] = await everyRow(server.call, `/v1.0/conversations/${id}/messages`);
    expect(incoming).toMatchObject({
      id: message_id,
      direction: 'incoming',
      status: 'received',
      text: 'Is it open today?',
      source: { type: 'tel', target: contact },
    });

    const sent = await reply(id, 'Yes, until six.');
    expect(sent).toMatchObject({ direction: 'outgoing', status: 'progressing', destination: { target: contact } });
    const done = await untilStatus(id, sent.id, 'done');
    expect(done.deliveries).toMatchObject([{ status: 'sent', attempts: 1, error: null, uncertain: false }]);
    expect(await phoneOf(contact)).toEqual(['Yes, until six.']);
  });

  it('the same Idempotency-Key gives the same answer and one message, another body with it 409', async () => {
    const contact = newContact();
    const key = { 'idempotency-key': `walk-${contact}` };
    const first = await write(contact, 'once', key);
    expect(await write(contact, 'once', key)).toEqual(first);
    const sent = await reply(first.conversation_id, 'twice?', key);
    expect(await reply(first.conversation_id, 'twice?', key)).toEqual(sent);
    const path = `/v1.0/conversations/${first.conversation_id}/messages`;
    expect(await outcome(server.call('POST', path, { text: 'other' }, key))).toBe('409 IDEMPOTENCY_KEY_REUSED');
    const rows = await everyRow(server.call, path);
    expect(rows.map(({ text }) => text)).toEqual(['twice?', 'once']);
  });

  it('If-Match with an old sequence gives 412 and shows what the sender has not seen', async () => {
    const contact = newContact();
    const { conversation_id: id } = await write(contact, 'first');
    const { sequence } = await read(id);
    await write(contact, 'second');
    const path = `/v1.0/conversations/${id}/messages`;
    const answer = await server.call('POST', path, { text: 'late' }, { 'if-match': `"${sequence}"` });
    expect(answer.status).toBe(412);
    expect(answer.body.error.details.messages.map(({ text }: Json) => text)).toEqual(['second']);
    const now = answer.body.error.details.sequence;
    await ok(server.call('POST', path, { text: 'in time' }, { 'if-match': `"${now}"` }));
  });

  it('a failing send is shown as failed with the provider’s reason, and the next one goes out', async () => {
    const contact = newContact();
    const { conversation_id: id } = await write(contact, 'hello');
    const fault = { account_id: server.sandboxAccount, count: 1, kind: 'reject' };
    await ok(server.call('POST', '/v1.0/sandbox/faults', fault));
    const refused = await untilStatus(id, (await reply(id, 'refused')).id, 'failed');
    expect(refused.deliveries).toMatchObject([{ status: 'failed', error: { code: 'SANDBOX_REJECTED' } }]);
    await untilStatus(id, (await reply(id, 'taken')).id, 'done');
    expect(await phoneOf(contact)).toEqual(['taken']);
  });
});

describe('webhooks', () => {
  beforeAll(async () => {
    const made = await ok(server.call('POST', '/v1.0/webhook_endpoints', { url: endpoint.url }));
    endpoint.trust(made.secret);
    const hook = { webhook_method: 'POST', webhook_uri: customerHook.url };
    const customer = await ok(server.call('PUT', '/v1.0/customer', hook));
    customerHook.trust(customer.webhook_secret);
  });

  it('an endpoint and the customer’s own webhook_uri get every event, signed, under the ids of GET /v1.0/events', async () => {
    const contact = newContact();
    const { conversation_id: id } = await write(contact, 'any news?');
    await untilStatus(id, (await reply(id, 'all of it')).id, 'done');
    await ok(server.call('PUT', `/v1.0/conversations/${id}`, { name: 'Renamed' }));
    const { sequence } = await read(id);

    const events = await eventually(async () => {
      const mine = (await everyEvent()).filter((event) => isAbout(event, id));
      expect(Math.max(...mine.map((event) => event.sequence))).toBe(sequence);
      return mine;
    });
    expect(events.map(({ type }) => type)).toEqual(
      expect.arrayContaining([
        'conversation_created',
        'conversation_message_created',
        'conversation_message_received',
        'conversation_message_sent',
        'conversation_updated',
      ]),
    );
    const ids = events.map((event) => event.id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const receiver of [endpoint, customerHook]) {
      await eventually(() => expect([...idsOf(receiver)]).toEqual(expect.arrayContaining(ids)));
      for (const event of events) {
        const got = receiver.requests.find((request) => request.id === event.id);
        expect(got?.method).toBe('POST');
        expect(got?.body).toMatchObject({ type: event.type, sequence: event.sequence });
      }
      expect(receiver.complaints).toEqual([]);
    }
  });

  it('conversation_message_received has the shape of seed 000', async () => {
    const contact = newContact();
    const { conversation_id, message_id } = await write(contact, 'shape');
    const got = await eventually(() => {
      const found = endpoint.requests.find(
        ({ body }) => body.type === 'conversation_message_received' && body.data.message.id === message_id,
      );
      if (!found) throw new Error('not delivered yet');
      return found;
    });
    expect(got.body.data).toEqual({
      conversation_id,
      message: {
        id: message_id,
        participant: { type: 'tel', target: contact },
        channel: 'sms',
        text: 'shape',
        medias: [],
        direction: 'inbound',
        tm_create: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      },
    });
  });

  it('a receiver that was down or answered 500 gets the event later, under the same id', async () => {
    await endpoint.goDown();
    customerHook.answerWith(500);
    const contact = newContact();
    const { message_id } = await write(contact, 'while you were away');
    const about = (receiver: Receiver) =>
      receiver.requests.filter(
        ({ body }) => body.type === 'conversation_message_received' && body.data.message.id === message_id,
      );
    const id = await eventually(() => {
      const [refused] = about(customerHook);
      if (!refused) throw new Error('not tried yet');
      return refused.id;
    });
    const failing = await eventually(async () => {
      const { result } = await ok(server.call('GET', '/v1.0/webhook_deliveries?status=pending'));
      const mine = result.filter((row: Json) => row.event_id === id && row.error !== '');
      expect(mine).toHaveLength(2);
      return mine;
    });
    expect(failing.map((row: Json) => row.response_status).toSorted()).toEqual([500, null]);

    await endpoint.comeBack();
    customerHook.answerWith(200);
    // The schedule's first step: 5 s.
    await eventually(() => {
      expect(about(endpoint).map((request) => request.id)).toEqual([id]);
      expect(about(customerHook).map((request) => [request.id, request.answered])).toEqual([
        [id, 500],
        [id, 200],
      ]);
    }, 15_000);
    expect([...endpoint.complaints, ...customerHook.complaints]).toEqual([]);
  });
});

describe('logins', () => {
  it.each(['admin', 'manager', 'agent1', 'agent2'])(
    '%s@localhost logs in, and the token names that agent',
    async (name) => {
      const username = `${name}@localhost`;
      for (const path of ['/auth/login', '/v1.0/auth/login']) {
        const answer = await server.as(null)('POST', path, { username, password: username });
        expect(answer).toMatchObject({ status: 200, body: { username } });
        const cookie = answer.headers.getSetCookie().find((line) => line.startsWith('token=')) ?? '';
        expect(cookie).toMatch(/; HttpOnly/i);
        const token = answer.body.token;
        const me = await ok(server.as(token)('GET', '/v1.0/me'));
        expect(me.username).toBe(username);
        for (const headers of [{ cookie: cookie.split(';')[0] ?? '' }, { authorization: `Bearer ${token}` }]) {
          expect(await ok(server.as(null)('GET', '/v1.0/me', undefined, headers))).toEqual(me);
        }
        expect(await ok(server.as(null)('GET', `/v1.0/me?token=${token}`))).toEqual(me);
      }
    },
  );

  it('a wrong password and an unknown user get the same 401', async () => {
    const call = server.as(null);
    const wrong = await call('POST', '/auth/login', { username: 'agent2@localhost', password: 'not-the-password' });
    const unknown = await call('POST', '/auth/login', { username: 'nobody@localhost', password: 'not-the-password' });
    expect(wrong.status).toBe(401);
    expect(unknown.status).toBe(401);
    expect({ ...wrong.body.error, request_id: '' }).toEqual({ ...unknown.body.error, request_id: '' });
  });

  it('no credential and a made-up one are 401', async () => {
    expect(await outcome(server.as(null)('GET', '/v1.0/conversations'))).toBe('401 AUTHENTICATION_REQUIRED');
    expect(await outcome(server.as('vb_made-up')('GET', '/v1.0/conversations'))).toBe('401 INVALID_CREDENTIALS');
  });

  it('an access key is no person: /me is 403', async () => {
    expect(await outcome(server.call('GET', '/v1.0/me'))).toBe('403 AGENT_AUTH_REQUIRED');
  });

  it('an agent lists its own conversations only, and may not read, send, assign or administer', async () => {
    const [agent1, agent2, manager] = await Promise.all(
      ['agent1', 'agent2', 'manager'].map((name) => login(`${name}@localhost`)),
    );
    if (!agent1 || !agent2 || !manager) throw new Error('three logins');
    const { conversation_id: id } = await write(newContact(), 'who takes me?');
    const assigned = await ok(manager.call('PUT', `/v1.0/conversations/${id}`, { owner_id: agent1.id }));
    expect(assigned).toMatchObject({ owner_type: 'agent', owner_id: agent1.id, ai_mode: 'human' });

    expect(await outcome(agent1.call('GET', '/v1.0/conversations'))).toBe('403 PERMISSION_DENIED');
    expect(await outcome(agent1.call('GET', `/v1.0/conversations?owner_id=${agent2.id}`))).toBe(
      '403 PERMISSION_DENIED',
    );
    const own = async (agent: { id: string; call: Call }): Promise<string[]> =>
      (await everyRow(agent.call, `/v1.0/conversations?owner_id=${agent.id}`)).map((row) => row.id);
    await eventually(async () => expect(await own(agent1)).toContain(id));
    expect(await own(agent2)).not.toContain(id);

    const refused: [string, string, unknown?][] = [
      ['GET', `/v1.0/conversations/${id}`],
      ['PUT', `/v1.0/conversations/${id}`, { owner_id: agent2.id }],
      ['GET', `/v1.0/conversations/${id}/messages`],
      ['POST', `/v1.0/conversations/${id}/messages`, { text: 'not here' }],
      ['GET', '/v1.0/conversation_accounts'],
      ['GET', '/v1.0/webhook_endpoints'],
      ['GET', '/v1.0/events'],
      ['GET', '/v1.0/agents'],
      ['GET', '/v1.0/accesskeys'],
      ['GET', `/v1.0/sandbox/outbox?account_id=${server.sandboxAccount}`],
    ];
    for (const [method, path, body] of refused) {
      expect([path, await outcome(agent1.call(method, path, body))]).toEqual([path, '403 PERMISSION_DENIED']);
    }
    expect(await outcome(manager.call('GET', '/v1.0/accesskeys'))).toBe('403 PERMISSION_DENIED');
    expect(await outcome(manager.call('GET', `/v1.0/conversations/${id}`))).toBe('200');
  });

  it('a manager’s reply carries the person as its sender, and takes the conversation from automation', async () => {
    const manager = await login('manager@localhost');
    const { conversation_id: id } = await write(newContact(), 'a person, please');
    await reply(id, 'by software');
    expect((await read(id)).ai_mode).toBe('ai');
    const sent = await ok(manager.call('POST', `/v1.0/conversations/${id}/messages`, { text: 'by a person' }));
    expect(sent.sender).toEqual({ type: 'agent', id: manager.id, name: 'Manager' });
    expect((await read(id)).ai_mode).toBe('human');
  });
});

describe('live streams', () => {
  const streamPath = (id: string, query = ''): string => `/v1.0/conversations/${id}/stream${query}`;

  const untilCaughtUp = (reader: SseReader): Promise<Frame> =>
    eventually(() => {
      const frame = reader.frames.find(({ type }) => type === 'caught_up');
      if (!frame) throw new Error('not caught up');
      return frame;
    });

  it('after=0 replays the whole log, then follows it live', async () => {
    const contact = newContact();
    const { conversation_id: id } = await write(contact, 'one');
    await write(contact, 'two');
    const reader = await openSse(server.url, streamPath(id, '?after=0'), server.accessKey);
    const caughtUp = await untilCaughtUp(reader);
    expect(reader.frames.filter(isEvent).map(({ sequence }) => sequence)).toEqual(upTo(caughtUp.sequence));
    await write(contact, 'three');
    await eventually(() => expect(reader.frames.at(-1)?.data?.text).toBe('three'));
    expect(reader.frames.map(({ type }) => type)).toEqual([
      'conversation_created',
      'conversation_message_created',
      'conversation_message_created',
      'caught_up',
      'conversation_message_created',
    ]);
    expect(reader.violations).toEqual([]);
    reader.close();
  });

  it('without a cursor it begins at the head', async () => {
    const contact = newContact();
    const { conversation_id: id } = await write(contact, 'before');
    const reader = await openSse(server.url, streamPath(id), server.accessKey);
    expect(await untilCaughtUp(reader)).toEqual({ type: 'caught_up', sequence: 2 });
    await write(contact, 'after');
    await eventually(() => expect(reader.frames.map(({ sequence }) => sequence)).toEqual([2, 3]));
    reader.close();
  });

  it('a reader that comes back by Last-Event-ID while messages pour in misses none and sees none twice', async () => {
    const contact = newContact();
    const { conversation_id: id } = await write(contact, 'flood 0');
    const flood = (async () => {
      for (let count = 1; count <= 30; count++) await write(contact, `flood ${count}`);
    })();
    const seen: Frame[] = [];
    for (let last = 0, done = false; !done;) {
      const reader = await openSse(server.url, streamPath(id, '?after=0'), server.accessKey, {
        'last-event-id': String(last),
      });
      const wanted = Math.min(last + 7, 32);
      await eventually(() => expect(reader.frames.filter(isEvent).at(-1)?.sequence).toBeGreaterThanOrEqual(wanted));
      reader.close();
      expect(reader.violations).toEqual([]);
      const events = reader.frames.filter(isEvent);
      seen.push(...events);
      last = events.at(-1)?.sequence ?? last;
      done = last >= 32;
    }
    await flood;
    expect(seen.map(({ sequence }) => sequence)).toEqual(upTo(32));
    expect(seen.flatMap(({ data }) => (data.text === undefined ? [] : [data.text]))).toEqual(
      Array.from({ length: 31 }, (_, count) => `flood ${count}`),
    );
  });

  it('a cursor from the future is answered with resync', async () => {
    const { conversation_id: id } = await write(newContact(), 'now');
    const reader = await openSse(server.url, streamPath(id, '?after=999'), server.accessKey);
    await eventually(() => expect(reader.frames[0]).toEqual({ type: 'resync', sequence: 2 }));
    reader.close();
  });

  it('the owning agent may stream, another agent may not', async () => {
    const [agent1, agent2] = [await login('agent1@localhost'), await login('agent2@localhost')];
    const { conversation_id: id } = await write(newContact(), 'mine');
    await ok(server.call('PUT', `/v1.0/conversations/${id}`, { owner_id: agent1.id }));
    const own = await openSse(server.url, streamPath(id, '?after=0'), agent1.token);
    expect(own.status).toBe(200);
    await untilCaughtUp(own);
    own.close();
    expect((await openSse(server.url, streamPath(id), agent2.token)).status).toBe(403);
  });

  it('a ticket opens one socket, by query or by subprotocol, and never a second one', async () => {
    const contact = newContact();
    const { conversation_id: id } = await write(contact, 'over a socket');
    const url = `${server.url.replace('http', 'ws')}/v1.0/conversations/${id}/ws?after=0`;
    const newTicket = async (): Promise<string> => (await ok(server.call('POST', '/v1.0/stream_tickets'))).ticket;
    const [byQuery, byProtocol] = [await newTicket(), await newTicket()];
    const attempts: [string, string[]][] = [
      [`${url}&ticket=${byQuery}`, []],
      [url, ['parley', `ticket.${byProtocol}`]],
    ];
    for (const [target, protocols] of attempts) {
      const socket = await openSocket(target, protocols);
      if (!socket) throw new Error('the first use of a ticket was refused');
      await eventually(() => expect(socket.frames.at(-1)?.type).toBe('caught_up'));
      expect(socket.frames.filter(isEvent).map(({ sequence }) => sequence)).toEqual(upTo(socket.frames.length - 1));
      const before = socket.frames.length;
      await write(contact, `live ${before}`);
      await eventually(() => expect(socket.frames.at(-1)?.data?.text).toBe(`live ${before}`));
      socket.close();
      expect(await openSocket(target, protocols)).toBeNull();
    }
    expect(await openSocket(url, [])).toBeNull();
  });
});

interface Socket {
  frames: Frame[];
  close(): void;
}

/** Null when the upgrade is refused. */
function openSocket(url: string, protocols: string[]): Promise<Socket | null> {
  const { promise, resolve } = Promise.withResolvers<Socket | null>();
  const socket = new WebSocket(url, protocols);
  const frames: Frame[] = [];
  socket.addEventListener('message', ({ data }) => frames.push(JSON.parse(String(data))));
  socket.addEventListener('open', () => resolve({ frames, close: () => socket.close() }));
  socket.addEventListener('error', () => resolve(null));
  return promise;
}

describe('the documentation', () => {
  it('/openapi.json describes the routes that this file uses', async () => {
    const document = await ok(server.as(null)('GET', '/openapi.json'));
    expect(document.openapi).toMatch(/^3\.1/);
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining([
        '/v1.0/conversations/{id}/messages',
        '/v1.0/conversations/{id}/stream',
        '/v1.0/webhook_endpoints',
        '/v1.0/events',
        '/v1.0/sandbox/inbound',
        '/hooks/{account_id}',
      ]),
    );
  });

  it.each(['/docs', '/docs/conversations', '/docs/reference'])(
    '%s is a page without a script of another site',
    async (path) => {
      const response = await fetch(`${server.url}${path}`);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toMatch(/^text\/html/);
      const page = await response.text();
      if (path === '/docs/conversations') expect(page).toContain('/v1.0/conversations');
      expect(page).not.toMatch(/<script[^>]+src="(?!\/docs\/)|<link[^>]+href="http/);
    },
  );
});

describe('stopping and starting again', () => {
  it('SIGTERM ends it cleanly; after a new start everything is there, and the conversation goes on', async () => {
    const contact = newContact();
    const { conversation_id: id } = await write(contact, 'before the stop');
    await untilStatus(id, (await reply(id, 'answered before')).id, 'done');
    const snapshot = async (): Promise<Json> => ({
      conversation: await read(id),
      messages: await everyRow(server.call, `/v1.0/conversations/${id}/messages`),
      accounts: await everyRow(server.call, '/v1.0/conversation_accounts'),
      endpoints: await everyRow(server.call, '/v1.0/webhook_endpoints'),
      customer: await ok(server.call('GET', '/v1.0/customer')),
      phone: await phoneOf(contact),
    });
    const events = await eventually(async () => {
      const found = await everyEvent();
      const { sequence } = await read(id);
      expect(found.findLast((event) => isAbout(event, id))?.sequence).toBe(sequence);
      return found;
    });
    const before = await snapshot();
    const { token } = await login('agent1@localhost');

    expect(await server.stop()).toBe(0);
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow();
    await server.start();

    expect(await snapshot()).toEqual(before);
    expect(await everyEvent()).toEqual(events);
    expect(await outcome(server.as(token)('GET', '/v1.0/me'))).toBe('200');

    const reader = await openSse(server.url, `/v1.0/conversations/${id}/stream`, server.accessKey, {
      'last-event-id': String(before.conversation.sequence),
    });
    expect((await write(contact, 'after the start')).conversation_id).toBe(id);
    const sent = await reply(id, 'answered after');
    await untilStatus(id, sent.id, 'done');
    expect(await phoneOf(contact)).toEqual(['answered before', 'answered after']);
    const { sequence } = await read(id);
    await eventually(() => expect(reader.frames.filter(isEvent).at(-1)?.sequence).toBe(sequence));
    const sequences = reader.frames.filter(isEvent).map((frame) => frame.sequence);
    expect([...upTo(before.conversation.sequence), ...sequences]).toEqual(upTo(sequence));
    reader.close();
    await eventually(() =>
      expect(endpoint.requests.map(({ body }) => body.data.text)).toEqual(
        expect.arrayContaining(['after the start', 'answered after']),
      ),
    );
    expect([...endpoint.complaints, ...customerHook.complaints]).toEqual([]);
  });
});
