import { randomBytes, randomUUID } from 'node:crypto';
import { validateSignature } from '@line/bot-sdk';
import twilioSdk from 'twilio';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  lineBody,
  lineEvent,
  type LineFake,
  lineRequest,
  lineText,
  type ProviderFake,
  type Received,
  type SignedRequest,
  startLine,
  startTelnyx,
  startTwilio,
  type TelnyxSigner,
  telnyxReceived,
  telnyxReport,
  telnyxSigner,
  type TwilioFake,
  twilioMessage,
  twilioRequest,
  twilioStatus,
} from '../fakes/providers.ts';
import { eventually, everyRow, type Json, ok, outcome } from '../support/http.ts';
import { startServer, type TestServer } from '../support/server.ts';

/** The adapters against providers as strict as their documentation, over the network: "It shows" 3. */
const CHANNEL_SECRET = randomBytes(16).toString('hex');
const CHANNEL_TOKEN = `line-token-${randomUUID()}`;
const ACCOUNT_SID = `AC${randomBytes(16).toString('hex')}`;
const AUTH_TOKEN = randomBytes(16).toString('hex');
const API_KEY = `KEY${randomBytes(16).toString('hex')}`;
const TWILIO_NUMBER = '+15550200001';
const TELNYX_NUMBER = '+15550200002';
const PICTURE = 'https://example.com/picture.png';

/** What the rules of every provider need of each one. */
interface Provider {
  fake: ProviderFake;
  account: Json;
  newContact(): string;
  /** A message from a contact, as the provider signs it; the same `id` is the same message. */
  says(contact: string, text: string, id: string, url: string): SignedRequest;
  /** The same, signed by somebody who does not know the secret. */
  forges(contact: string, text: string, id: string, url: string): SignedRequest;
  /** Rightly signed, and not what the provider sends. */
  garbage(url: string): SignedRequest;
  signatureHeaders: string[];
  /** A refusal in the provider's form, and how a delivery shows it. */
  refusal: { body: string; shown: { code: string; message: string } };
}

let server: TestServer;
let line: LineFake;
let twilio: TwilioFake;
let telnyx: ProviderFake;
let signer: TelnyxSigner;
const providers = new Map<string, Provider>();
const NAMES = ['line', 'twilio', 'telnyx'];

beforeAll(async () => {
  signer = telnyxSigner();
  [line, twilio, telnyx] = await Promise.all([
    startLine({ channelAccessToken: CHANNEL_TOKEN }),
    startTwilio({ accountSid: ACCOUNT_SID, authToken: AUTH_TOKEN }),
    startTelnyx({ apiKey: API_KEY }),
  ]);
  const bases = {
    LINE_API_BASE: line.url,
    LINE_DATA_API_BASE: line.url,
    TWILIO_API_BASE: twilio.url,
    TELNYX_API_BASE: telnyx.url,
  };
  server = await startServer(Object.entries(bases).flatMap(([name, url]) => ['--var', `${name}:${url}`]));
  providers.set('line', lineProvider(await connect({ type: 'line', secret: CHANNEL_SECRET, token: CHANNEL_TOKEN })));
  const twilioData = { provider: 'twilio', account_sid: ACCOUNT_SID, number: TWILIO_NUMBER };
  providers.set('twilio', twilioProvider(await connect({ type: 'sms', token: AUTH_TOKEN, provider_data: twilioData })));
  const telnyxData = { provider: 'telnyx', number: TELNYX_NUMBER };
  const telnyxAccount = { type: 'sms', secret: signer.publicKey, token: API_KEY, provider_data: telnyxData };
  providers.set('telnyx', telnyxProvider(await connect(telnyxAccount)));
});

afterAll(async () => {
  await Promise.all([server?.dispose(), line?.close(), twilio?.close(), telnyx?.close()]);
});

afterEach(() => {
  expect([...line.violations, ...twilio.violations, ...telnyx.violations]).toEqual([]);
});

const connect = (account: Record<string, unknown>): Promise<Json> =>
  ok(server.call('POST', '/v1.0/conversation_accounts', { name: 'Under test', ...account }));

let numbers = 0;
const newNumber = (): string => `+1555666${String((numbers += 1)).padStart(4, '0')}`;
const newLineUser = (): string => `U${randomBytes(16).toString('hex')}`;

/** Without a reply token, so that answers are pushed. */
const pushed = { replyToken: undefined };

function lineProvider(account: Json): Provider {
  const body = (contact: string, text: string, id: string): Record<string, unknown> =>
    lineBody(lineText(contact, text, { ...pushed, message: { type: 'text', id, quoteToken: 'q', text } }));
  return {
    fake: line,
    account,
    newContact: newLineUser,
    says: (contact, text, id) => lineRequest(CHANNEL_SECRET, body(contact, text, id)),
    forges: (contact, text, id) => lineRequest('not the channel secret', body(contact, text, id)),
    garbage: () => lineRequest(CHANNEL_SECRET, '{"events": nothing'),
    signatureHeaders: ['x-line-signature'],
    refusal: {
      body: JSON.stringify({ message: 'The user hasn’t added the LINE Official Account as a friend.' }),
      shown: { code: 'HTTP_400', message: 'The user hasn’t added the LINE Official Account as a friend.' },
    },
  };
}

function twilioProvider(account: Json): Provider {
  const form = (contact: string, text: string, id: string): Record<string, string> =>
    twilioMessage(ACCOUNT_SID, contact, TWILIO_NUMBER, text, { MessageSid: id, SmsSid: id, SmsMessageSid: id });
  return {
    fake: twilio,
    account,
    newContact: newNumber,
    says: (contact, text, id, url) => twilioRequest(AUTH_TOKEN, url, form(contact, text, id)),
    forges: (contact, text, id, url) => twilioRequest('not the auth token', url, form(contact, text, id)),
    garbage: (url) => twilioRequest(AUTH_TOKEN, url, { Something: 'else' }),
    signatureHeaders: ['x-twilio-signature'],
    refusal: {
      body: JSON.stringify({ code: 21614, message: '‘To’ number is not a valid mobile number', status: 400 }),
      shown: { code: '21614', message: '‘To’ number is not a valid mobile number' },
    },
  };
}

function telnyxProvider(account: Json): Provider {
  const stranger = telnyxSigner();
  const event = (contact: string, text: string, id: string): Record<string, unknown> =>
    telnyxReceived(contact, TELNYX_NUMBER, text, { id });
  return {
    fake: telnyx,
    account,
    newContact: newNumber,
    says: (contact, text, id) => signer.request(event(contact, text, id)),
    forges: (contact, text, id) => stranger.request(event(contact, text, id)),
    garbage: () => signer.request('{"data":'),
    signatureHeaders: ['telnyx-signature-ed25519', 'telnyx-timestamp'],
    refusal: {
      body: JSON.stringify({
        errors: [{ code: '40310', title: "Invalid 'to' address", detail: 'The address is not valid.' }],
      }),
      shown: { code: '40310', message: 'The address is not valid.' },
    },
  };
}

function providerNamed(name: string): Provider {
  const provider = providers.get(name);
  if (!provider) throw new Error(`${name} is not connected`);
  return provider;
}

async function post(url: string, request: SignedRequest): Promise<{ status: number; text: string }> {
  const response = await fetch(url, request);
  return { status: response.status, text: await response.text() };
}

const newId = (): string => randomUUID().replaceAll('-', '');

/** One message of a new contact, and the conversation that it opened. */
async function opened(provider: Provider, text = 'hello'): Promise<{ contact: string; id: string }> {
  const contact = provider.newContact();
  const { hook_url: url } = provider.account;
  expect((await post(url, provider.says(contact, text, newId(), url))).status).toBe(200);
  return { contact, id: await conversationOf(contact) };
}

const conversationOf = (contact: string): Promise<string> =>
  eventually(async () => {
    const page = await ok(server.call('GET', `/v1.0/conversations?peer=${encodeURIComponent(contact)}`));
    expect(page.result).toHaveLength(1);
    return page.result[0].id;
  });

const messagesOf = async (id: string): Promise<Json[]> =>
  (await everyRow(server.call, `/v1.0/conversations/${id}/messages`)).toReversed();

const reply = (id: string, body: object): Promise<Json> =>
  ok(server.call('POST', `/v1.0/conversations/${id}/messages`, body));

/** The message, once its one delivery is as wanted. */
const untilDelivery = (sent: Json, wanted: object, timeoutMs?: number): Promise<Json> =>
  eventually(async () => {
    const path = `/v1.0/conversations/${sent.conversation_id}/messages/${sent.id}`;
    const found = await ok(server.call('GET', path));
    expect(found.deliveries[0]).toMatchObject(wanted);
    return found;
  }, timeoutMs);

function acceptedWith(fake: ProviderFake, text: string): Received[] {
  return fake.received.filter((received) => received.text === text);
}

function only<T>(items: T[]): T {
  const [item] = items;
  if (item === undefined || items.length !== 1) throw new Error(`expected one, got ${items.length}`);
  return item;
}

describe.each(NAMES)('%s: what comes in', (name) => {
  it('a signed message opens a conversation and is stored in it', async () => {
    const provider = providerNamed(name);
    const { contact, id } = await opened(provider, 'Guten Tag, 안녕하세요 👋');
    expect(await messagesOf(id)).toMatchObject([
      { direction: 'incoming', status: 'received', text: 'Guten Tag, 안녕하세요 👋', source: { target: contact } },
    ]);
    expect(await ok(server.call('GET', `/v1.0/conversations/${id}`))).toMatchObject({
      account_id: provider.account.id,
      type: name === 'line' ? 'line' : 'message',
      peer: { target: contact },
    });
  });

  it('a redelivery is answered 200 and changes nothing', async () => {
    const provider = providerNamed(name);
    const { hook_url: url } = provider.account;
    const contact = provider.newContact();
    const request = provider.says(contact, 'once', newId(), url);
    const answers = await Promise.all([post(url, request), post(url, request), post(url, request)]);
    answers.push(await post(url, request));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const id = await conversationOf(contact);
    expect((await messagesOf(id)).map(({ text }) => text)).toEqual(['once']);
    expect((await ok(server.call('GET', `/v1.0/conversations/${id}`))).sequence).toBe(2);
  });

  it('forged, tampered and unsigned requests are 401, and nothing of them is stored', async () => {
    const provider = providerNamed(name);
    const { hook_url: url } = provider.account;
    const contact = provider.newContact();
    const right = provider.says(contact, 'right', newId(), url);
    const unsigned = Object.entries(right.headers).filter(([header]) => !provider.signatureHeaders.includes(header));
    const wrong: SignedRequest[] = [
      provider.forges(contact, 'forged', newId(), url),
      { ...right, body: right.body.replace('right', 'wrong') },
      { ...right, headers: Object.fromEntries(unsigned) },
      ...provider.signatureHeaders.map((header) => ({ ...right, headers: { ...right.headers, [header]: 'AAAA' } })),
    ];
    for (const request of wrong) expect((await post(url, request)).status).toBe(401);
    expect((await post(url, right)).status).toBe(200);
    const id = await conversationOf(contact);
    expect((await messagesOf(id)).map(({ text }) => text)).toEqual(['right']);
    expect((await ok(server.call('GET', `/v1.0/conversations/${id}`))).sequence).toBe(2);
  });

  it('an unknown account is 404', async () => {
    const provider = providerNamed(name);
    for (const unknown of [randomUUID(), 'not-an-id', server.sandboxAccount.replace(/.$/, 'g')]) {
      const url = `${server.url}/hooks/${unknown}`;
      expect((await post(url, provider.says(provider.newContact(), 'lost', newId(), url))).status).toBe(404);
    }
  });

  it('a signed body that is not of the provider’s form is 400, never 500', async () => {
    const provider = providerNamed(name);
    const { hook_url: url } = provider.account;
    const answer = await post(url, provider.garbage(url));
    expect([answer.status, JSON.parse(answer.text).error.reason]).toEqual([400, 'INVALID_HOOK_BODY']);
  });

  it('a body of 5 MB is 413', async () => {
    const provider = providerNamed(name);
    const { hook_url: url } = provider.account;
    const request = provider.says(provider.newContact(), 'x'.repeat(5 * 1024 * 1024), newId(), url);
    expect((await post(url, request)).status).toBe(413);
  });

  it('no answer of the API shows the account’s secrets', async () => {
    const { account } = providerNamed(name);
    const answers = [
      account,
      await ok(server.call('GET', `/v1.0/conversation_accounts/${account.id}`)),
      await ok(server.call('PUT', `/v1.0/conversation_accounts/${account.id}`, { detail: 'changed' })),
      await ok(server.call('GET', '/v1.0/conversation_accounts')),
    ];
    const text = JSON.stringify(answers);
    for (const secret of [CHANNEL_SECRET, CHANNEL_TOKEN, AUTH_TOKEN, API_KEY]) expect(text).not.toContain(secret);
  });
});

describe.each(NAMES)('%s: what goes out', (name) => {
  it('an answer and a picture reach the contact and become done', async () => {
    const provider = providerNamed(name);
    const { contact, id } = await opened(provider);
    const text = `answer ${newId()}`;
    const sent = await reply(id, { text, medias: [{ type: 'image/png', url: PICTURE }] });
    const done = await untilDelivery(sent, { status: 'sent', attempts: 1, error: null, uncertain: false });
    expect(done.status).toBe('done');
    const received = only(acceptedWith(provider.fake, text));
    expect(received).toMatchObject({ to: contact, medias: [PICTURE] });
    expect(done.deliveries[0].provider_id).toBe(received.id);
  });

  it('429 with Retry-After is honoured, and three messages keep their order', async () => {
    const provider = providerNamed(name);
    const { id } = await opened(provider);
    const retryAfterS = 3;
    const headers = { 'content-type': 'application/json', 'retry-after': String(retryAfterS) };
    provider.fake.failNext({ kind: 'status', status: 429, headers, body: '{}' });
    const [before, started] = [provider.fake.attempts(), Date.now()];
    const texts = ['first', 'second', 'third'].map((text) => `${text} ${newId()}`);
    const sent: Json[] = [];
    for (const text of texts) sent.push(await reply(id, { text }));
    await eventually(() => expect(provider.fake.attempts()).toBe(before + 1));
    for (const message of sent) await untilDelivery(message, { status: 'sent' }, 15_000);
    expect(Date.now() - started).toBeGreaterThanOrEqual(retryAfterS * 1000);
    expect(provider.fake.received.map(({ text }) => text).filter((text) => texts.includes(text))).toEqual(texts);
    expect(provider.fake.attempts()).toBe(before + 4);
  });

  it('a refusal ends the delivery at once, with the provider’s code and text on it', async () => {
    const provider = providerNamed(name);
    const { id } = await opened(provider);
    const headers = { 'content-type': 'application/json' };
    provider.fake.failNext({ kind: 'status', status: 400, headers, body: provider.refusal.body });
    const before = provider.fake.attempts();
    const refused = await untilDelivery(await reply(id, { text: 'refused' }), { status: 'failed', attempts: 1 });
    expect(refused.status).toBe('failed');
    expect(refused.deliveries[0].error).toEqual(provider.refusal.shown);
    const next = `after it ${newId()}`;
    await untilDelivery(await reply(id, { text: next }), { status: 'sent' });
    expect(provider.fake.attempts()).toBe(before + 2);
  });

  it('500 is tried again', async () => {
    const provider = providerNamed(name);
    const { id } = await opened(provider);
    provider.fake.failNext({ kind: 'status', status: 500, body: '' }, 2);
    const before = provider.fake.attempts();
    const text = `persistent ${newId()}`;
    await untilDelivery(await reply(id, { text }), { status: 'sent', attempts: 3, error: null }, 15_000);
    only(acceptedWith(provider.fake, text));
    expect(provider.fake.attempts()).toBe(before + 3);
  });
});

describe('LINE', () => {
  const account = (): Json => providerNamed('line').account;
  const hook = (...events: Record<string, unknown>[]) =>
    post(account().hook_url, lineRequest(CHANNEL_SECRET, lineBody(...events)));

  it('its own library accepts the signature that we accept, and refuses the one that we refuse', async () => {
    const provider = providerNamed('line');
    const right = provider.says(newLineUser(), 'signed', newId(), account().hook_url);
    const forged = provider.forges(newLineUser(), 'signed', newId(), account().hook_url);
    const library = ({ body, headers }: SignedRequest): boolean =>
      validateSignature(body, CHANNEL_SECRET, headers['x-line-signature'] ?? '');
    expect([library(right), library(forged)]).toEqual([true, false]);
    expect((await post(account().hook_url, right)).status).toBe(200);
    expect((await post(account().hook_url, forged)).status).toBe(401);
  });

  it('an empty list of events, LINE’s connection test, is 200', async () => {
    expect((await hook()).status).toBe(200);
  });

  it('a fresh reply token is used once; then messages are pushed with the delivery’s id as retry key', async () => {
    const contact = newLineUser();
    const replyToken = newId();
    await hook(lineText(contact, 'hi', { replyToken }));
    const id = await conversationOf(contact);
    const texts = [`free ${newId()}`, `paid ${newId()}`];
    const sent: Json[] = [];
    for (const text of texts) sent.push(await untilDelivery(await reply(id, { text }), { status: 'sent' }));
    expect(texts.map((text) => only(acceptedWith(line, text)))).toMatchObject([
      { method: 'reply', key: replyToken },
      { method: 'push', to: contact, key: sent[1].deliveries[0].id },
    ]);
  });

  it('a reply token that is spent or too old is no obstacle: the message is pushed', async () => {
    const [spent, old] = [newLineUser(), newLineUser()];
    const replyToken = newId();
    line.expireReplyToken(replyToken);
    await hook(lineText(spent, 'hi', { replyToken }), lineText(old, 'hi', { timestamp: Date.now() - 120_000 }));
    const before = line.attempts();
    for (const contact of [spent, old]) {
      const text = `pushed ${newId()}`;
      await untilDelivery(await reply(await conversationOf(contact), { text }), { status: 'sent', error: null });
      expect(only(acceptedWith(line, text))).toMatchObject({ method: 'push', to: contact });
    }
    // The spent one is tried and refused; the old one is not even tried.
    expect(line.attempts()).toBe(before + 3);
  });

  it('a push whose answer was lost is repeated under the same key, so LINE drops the repeat', async () => {
    const { id } = await opened(providerNamed('line'));
    line.failNext({ kind: 'accept-drop' });
    const before = line.attempts();
    const text = `answer lost ${newId()}`;
    const done = await untilDelivery(await reply(id, { text }), { status: 'sent', attempts: 2 }, 15_000);
    expect(done.deliveries[0].provider_id).toBe(only(acceptedWith(line, text)).id);
    expect(line.attempts()).toBe(before + 2);
  });

  it('events of one request are taken in the order of their timestamps', async () => {
    const contact = newLineUser();
    const now = Date.now();
    const texts = ['third', 'first', 'second'];
    const at = [now, now - 2000, now - 1000];
    await hook(...texts.map((text, index) => lineText(contact, text, { timestamp: at[index] })));
    const rows = await messagesOf(await conversationOf(contact));
    expect(rows.map(({ text }) => text)).toEqual(['first', 'second', 'third']);
  });

  it('a group is one conversation for all its members', async () => {
    const groupId = `C${randomBytes(16).toString('hex')}`;
    const members = [newLineUser(), newLineUser()];
    for (const userId of members) {
      await hook(lineText(userId, `from ${userId}`, { ...pushed, source: { type: 'group', groupId, userId } }));
    }
    const id = await conversationOf(groupId);
    expect((await messagesOf(id)).map(({ sender }) => sender.id)).toEqual(members);
    const text = `to all ${newId()}`;
    await untilDelivery(await reply(id, { text }), { status: 'sent' });
    expect(only(acceptedWith(line, text)).to).toBe(groupId);
  });

  it('a message that the contact takes back is shown no more', async () => {
    const contact = newLineUser();
    const messageId = newId();
    await hook(lineText(contact, 'regret', { message: { type: 'text', id: messageId, text: 'regret' } }));
    const id = await conversationOf(contact);
    await hook(lineEvent(contact, { type: 'unsend', unsend: { messageId } }));
    expect(JSON.stringify(await messagesOf(id))).not.toContain('regret');
  });

  it('a picture can be read through its url with the access key, and not without', async () => {
    const contact = newLineUser();
    const messageId = newId();
    const bytes = randomBytes(50_000);
    line.putContent(messageId, 'image/jpeg', bytes);
    const message = { type: 'image', id: messageId, contentProvider: { type: 'line' } };
    await hook(lineEvent(contact, { type: 'message', message }));
    const [{ medias }] = (await messagesOf(await conversationOf(contact))) as [Json];
    expect(medias).toMatchObject([{ type: 'image/jpeg' }]);
    await expectFile(medias[0].url, bytes, 'image/jpeg');
  });
});

describe('Twilio', () => {
  const account = (): Json => providerNamed('twilio').account;

  it('its own library accepts the signature that we accept, and refuses the one that we refuse', async () => {
    const provider = providerNamed('twilio');
    const { hook_url: url } = account();
    const right = provider.says(newNumber(), 'signed & sealed + 100 %', newId(), url);
    const forged = provider.forges(newNumber(), 'signed', newId(), url);
    const library = ({ body, headers }: SignedRequest): boolean => {
      const params = Object.fromEntries(new URLSearchParams(body));
      return twilioSdk.validateRequest(AUTH_TOKEN, headers['x-twilio-signature'] ?? '', url, params);
    };
    expect([library(right), library(forged)]).toEqual([true, false]);
    expect((await post(url, right)).status).toBe(200);
    expect((await post(url, forged)).status).toBe(401);
  });

  it('is answered with an empty TwiML document', async () => {
    const { hook_url: url } = account();
    const response = await fetch(url, providerNamed('twilio').says(newNumber(), 'hi', newId(), url));
    expect(response.headers.get('content-type')).toMatch(/^text\/xml/);
    expect(await response.text()).toBe('<Response></Response>');
  });

  it('a picture of an MMS can be read through its url with the access key, and not without', async () => {
    const { hook_url: url } = account();
    const contact = newNumber();
    const bytes = randomBytes(10_000);
    const more = { NumMedia: '1', MediaUrl0: twilio.putMedia('image/png', bytes), MediaContentType0: 'image/png' };
    const form = twilioMessage(ACCOUNT_SID, contact, TWILIO_NUMBER, '', more);
    expect((await post(url, twilioRequest(AUTH_TOKEN, url, form))).status).toBe(200);
    const [{ text, medias }] = (await messagesOf(await conversationOf(contact))) as [Json];
    expect([text, medias.length]).toEqual(['', 1]);
    await expectFile(medias[0].url, bytes, 'image/png');
  });

  statusRules('twilio', (received, _contact, status, error) => {
    const more = error ? { ErrorCode: error.code, ErrorMessage: error.text } : {};
    const params = twilioStatus(ACCOUNT_SID, received.id, error ? 'undelivered' : status, more);
    return twilioRequest(AUTH_TOKEN, received.statusCallbackUrl, params);
  });
});

describe('Telnyx', () => {
  it('a signature older than five minutes is a replay: 401', async () => {
    const { account } = providerNamed('telnyx');
    const event = telnyxReceived(newNumber(), TELNYX_NUMBER, 'replayed');
    expect((await post(account.hook_url, signer.request(event, Date.now() - 6 * 60_000))).status).toBe(401);
  });

  statusRules('telnyx', (received, contact, status, error) => {
    const errors = error ? [{ code: error.code, title: 'Failed', detail: error.text }] : [];
    return signer.request(telnyxReport(received.id, contact, error ? 'delivery_failed' : status, errors));
  });
});

/** The rules of status callbacks, which both SMS providers have. */
function statusRules(
  name: string,
  report: (
    received: Received,
    contact: string,
    status: 'sent' | 'delivered',
    error?: { code: string; text: string },
  ) => SignedRequest,
): void {
  it('its callback turns the delivery `delivered`, and a late `sent` does not move it back', async () => {
    const { fake } = providerNamed(name);
    const { contact, id } = await opened(providerNamed(name));
    const text = `track me ${newId()}`;
    const sent = await untilDelivery(await reply(id, { text }), { status: 'sent' });
    const received = only(acceptedWith(fake, text));
    const callback = (request: SignedRequest) => post(received.statusCallbackUrl, request);

    const forged = report(received, contact, 'delivered');
    const headers = Object.fromEntries(Object.entries(forged.headers).map(([key]) => [key, 'AAAA']));
    expect(
      (await callback({ ...forged, headers: { ...headers, 'content-type': forged.headers['content-type'] ?? '' } }))
        .status,
    ).toBe(401);
    await untilDelivery(sent, { status: 'sent' });

    expect((await callback(report(received, contact, 'delivered'))).status).toBe(200);
    await untilDelivery(sent, { status: 'delivered', provider_id: received.id });
    const { sequence } = await ok(server.call('GET', `/v1.0/conversations/${id}`));
    expect((await callback(report(received, contact, 'sent'))).status).toBe(200);
    expect((await untilDelivery(sent, { status: 'delivered' })).status).toBe('done');
    expect((await ok(server.call('GET', `/v1.0/conversations/${id}`))).sequence).toBe(sequence);
  });

  it('a failure that the callback reports is shown with its code and text', async () => {
    const { fake } = providerNamed(name);
    const { contact, id } = await opened(providerNamed(name));
    const text = `nobody there ${newId()}`;
    const sent = await untilDelivery(await reply(id, { text }), { status: 'sent' });
    const received = only(acceptedWith(fake, text));
    const error = { code: '30003', text: 'Unreachable destination handset' };
    expect((await post(received.statusCallbackUrl, report(received, contact, 'sent', error))).status).toBe(200);
    const failed = await untilDelivery(sent, { status: 'failed' });
    expect([failed.status, failed.deliveries[0].error]).toEqual(['failed', { code: error.code, message: error.text }]);
  });

  it('after a lost answer nothing is repeated before its callback could tell; the callback settles it', async () => {
    const { fake } = providerNamed(name);
    const { contact, id } = await opened(providerNamed(name));
    fake.failNext({ kind: 'accept-drop' });
    const before = fake.attempts();
    const [text, next] = [`answer lost ${newId()}`, `waits behind ${newId()}`];
    const sent = await untilDelivery(await reply(id, { text }), { status: 'sending', uncertain: true });
    const behind = await reply(id, { text: next });
    const received = only(acceptedWith(fake, text));
    expect(fake.attempts()).toBe(before + 1);
    expect((await post(received.statusCallbackUrl, report(received, contact, 'delivered'))).status).toBe(200);
    await untilDelivery(sent, { status: 'delivered', provider_id: received.id, uncertain: true });
    await untilDelivery(behind, { status: 'sent' });
    expect(fake.received.map((one) => one.text).filter((one) => one === text || one === next)).toEqual([text, next]);
    expect(fake.attempts()).toBe(before + 2);
  });
}

async function expectFile(url: string, bytes: Uint8Array, type: string): Promise<void> {
  expect(url.startsWith(`${server.url}/`)).toBe(true);
  expect(await outcome(server.as(null)('GET', url))).toBe('401 AUTHENTICATION_REQUIRED');
  const response = await fetch(url, { headers: { authorization: `Bearer ${server.accessKey}` } });
  expect([response.status, response.headers.get('content-type')]).toEqual([200, type]);
  expect(response.headers.get('content-disposition')).toBe('attachment');
  expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
}
