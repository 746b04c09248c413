/**
 * LINE, Twilio and Telnyx on 127.0.0.1, as strict as their documentation: requests that a real provider would refuse are refused and noted
 * in `violations`. Also their webhook requests, signed as the providers sign them.
 */
import { createHmac, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';

/** One accepted message. */
export interface Received {
  /** The provider's message id, as in its answer. */
  id: string;
  /** LINE: `reply` or `push`; `send` elsewhere. */
  method: string;
  /** Empty for a LINE reply, which names a token instead. */
  to: string;
  from: string;
  text: string;
  medias: string[];
  /** LINE's retry key or reply token. */
  key: string;
  /** The URL for status callbacks; empty on LINE. */
  statusCallbackUrl: string;
  /** The fields of the request. */
  body: Record<string, unknown>;
}

/**
 * How a request fails. `hang` and `drop` happen before the provider accepts the message; `accept-hang` and `accept-drop` accept it and lose
 * the answer.
 */
export type Failure =
  | { kind: 'status'; status: number; headers?: Record<string, string>; body?: string }
  | { kind: 'hang' | 'drop' | 'accept-hang' | 'accept-drop' };

export interface ProviderFake {
  url: string;
  /** Accepted messages, in order. */
  received: Received[];
  /** Requests that the provider's documentation forbids. Must be empty at the end of a test. */
  violations: string[];
  /** The number of send requests, whatever their outcome. */
  attempts(): number;
  /** The next `count` send requests (with `mark` in their body, if given) fail this way. Calls queue up. */
  failNext(failure: Failure, count?: number, mark?: string): void;
  close(): Promise<void>;
}

export interface Incoming {
  method: string;
  url: URL;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
}

/** A refusal that a correct client never sees. It is noted as a violation. */
export class Violation extends Error {
  readonly answer: Answer;
  constructor(message: string, answer: Answer) {
    super(message);
    this.answer = answer;
  }
}

export const json = (status: number, value: unknown, headers: Record<string, string> = {}): Answer => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(value),
});

export async function startFake<T extends object>(
  handle: (request: Incoming, received: Received[], violations: string[]) => Answer,
  more: T,
): Promise<ProviderFake & T> {
  const received: Received[] = [];
  const violations: string[] = [];
  const failures: { failure: Failure; mark: string }[] = [];
  const nextFailure = (body: string): Failure | undefined => {
    const address = failures.findIndex(({ mark }) => body.includes(mark));
    return address < 0 ? undefined : failures.splice(address, 1)[0]?.failure;
  };
  let attempts = 0;
  const answer = (request: Incoming): Answer => {
    try {
      return handle(request, received, violations);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      violations.push(`${request.method} ${request.url.pathname}: ${error.message}`);
      return error.answer;
    }
  };
  const server = createServer((raw, response) => {
    void readRequest(raw).then((request) => {
      if (request.method === 'POST') attempts++;
      const failure = request.method === 'POST' ? nextFailure(request.body) : undefined;
      if (!failure) return write(response, answer(request));
      if (failure.kind === 'status') return write(response, failure);
      if (failure.kind.startsWith('accept')) answer(request);
      if (failure.kind.endsWith('drop')) raw.socket.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return {
    ...more,
    url: `http://127.0.0.1:${address.port}`,
    received,
    violations,
    attempts: () => attempts,
    failNext: (failure, count = 1, mark = '') =>
      void failures.push(...Array.from({ length: count }, () => ({ failure, mark }))),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function readRequest(raw: IncomingMessage): Promise<Incoming> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of raw) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString('utf8');
  return { method: raw.method ?? '', url: new URL(raw.url ?? '/', 'http://fake'), headers: raw.headers, body };
}

function write(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, headers);
  response.end(body);
}

export const header = (request: Incoming, name: string): string => [request.headers[name] ?? ''].flat().join(', ');

/** The JSON object in a body, or a violation. */
export function jsonBody(request: Incoming, refusal: Answer): Record<string, unknown> {
  if (!/^application\/json(;|$)/.test(header(request, 'content-type')))
    throw new Violation('not application/json', refusal);
  try {
    const value: unknown = JSON.parse(request.body);
    if (isObject(value)) return value;
  } catch {
    // Invalid JSON is refused below, like JSON that is not an object.
  }
  throw new Violation('the body is not a JSON object', refusal);
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

export function textIn(body: Record<string, unknown>, key: string): string {
  const value = body[key];
  return isText(value) ? value : '';
}

export const isUrl = (value: unknown, protocols: string[]): boolean =>
  isText(value) && URL.canParse(value) && protocols.includes(new URL(value).protocol);

const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter(isText) : []);

export function onlyFields(body: Record<string, unknown>, allowed: string[], refusal: Answer): void {
  const unknown = Object.keys(body).filter((key) => !allowed.includes(key));
  if (unknown.length > 0) throw new Violation(`unknown fields: ${unknown.join(', ')}`, refusal);
}

// ---------------------------------------------------------------------------------------------------------- LINE

export interface LineFakeOptions {
  channelAccessToken: string;
  /** LINE accepts only HTTPS URLs, which the files of a local test may not have. */
  allowHttp?: boolean;
}

export interface LineFake extends ProviderFake {
  /** Makes a reply token expire, as it does after a minute. */
  expireReplyToken(token: string): void;
  /** A file for `GET /v2/bot/message/{id}/content`. */
  putContent(messageId: string, contentType: string, bytes: Uint8Array): void;
}

const lineError = (status: number, message: string): Answer => json(status, { message });

const LINE_ID = /^[UCR][0-9a-f]{32}$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Serves both of LINE's hosts: the API and the data API. */
export function startLine(options: LineFakeOptions): Promise<LineFake> {
  const acceptedKeys = new Map<string, { requestId: string; sentMessages: { id: string }[] }>();
  const spentTokens = new Set<string>();
  const contents = new Map<string, { contentType: string; bytes: Uint8Array }>();
  const protocols = options.allowHttp ? ['https:', 'http:'] : ['https:'];

  function handle(request: Incoming, received: Received[]): Answer {
    if (header(request, 'authorization') !== `Bearer ${options.channelAccessToken}`) {
      throw new Violation(
        'wrong Authorization',
        lineError(401, 'Authentication failed. Confirm that the access token is valid.'),
      );
    }
    const content = /^\/v2\/bot\/message\/(\w+)\/content$/.exec(request.url.pathname)?.[1];
    if (request.method === 'GET' && content !== undefined) return contentAnswer(contents.get(content));
    if (request.method !== 'POST') throw new Violation('not a method of the API', lineError(404, 'Not found'));
    if (request.url.pathname === '/v2/bot/message/push') return push(request, received);
    if (request.url.pathname === '/v2/bot/message/reply') return reply(request, received);
    throw new Violation('not a path of the API', lineError(404, 'Not found'));
  }

  function push(request: Incoming, received: Received[]): Answer {
    const key = header(request, 'x-line-retry-key');
    if (!UUID.test(key))
      throw new Violation('push without a UUID as X-Line-Retry-Key', lineError(400, 'Invalid retry key'));
    const earlier = acceptedKeys.get(key);
    if (earlier) return retryAnswer(earlier);
    const body = jsonBody(request, lineError(400, 'The request body could not be parsed as JSON'));
    onlyFields(
      body,
      ['to', 'messages', 'notificationDisabled', 'customAggregationUnits'],
      lineError(400, 'Unknown field'),
    );
    if (!isText(body['to']) || !LINE_ID.test(body['to']))
      throw new Violation('bad to', lineError(400, "The property, 'to', in the request body is invalid"));
    const answer = accept('push', body['to'], key, body, received);
    acceptedKeys.set(key, answer);
    return json(200, { sentMessages: answer.sentMessages }, { 'x-line-request-id': answer.requestId });
  }

  function reply(request: Incoming, received: Received[]): Answer {
    if (header(request, 'x-line-retry-key') !== '') {
      throw new Violation('reply with a retry key', lineError(400, 'The retry key is not supported by this API'));
    }
    const body = jsonBody(request, lineError(400, 'The request body could not be parsed as JSON'));
    onlyFields(body, ['replyToken', 'messages', 'notificationDisabled'], lineError(400, 'Unknown field'));
    const token = body['replyToken'];
    if (!isText(token)) throw new Violation('no replyToken', lineError(400, 'The request body has 1 error(s)'));
    if (spentTokens.has(token)) return lineError(400, 'Invalid reply token');
    const answer = accept('reply', '', token, body, received);
    spentTokens.add(token);
    return json(200, { sentMessages: answer.sentMessages }, { 'x-line-request-id': answer.requestId });
  }

  function accept(method: string, to: string, key: string, body: Record<string, unknown>, received: Received[]) {
    const messages = Array.isArray(body['messages']) ? body['messages'].filter(isObject) : [];
    const bad = messages.findIndex((message) => !isLineMessage(message, protocols));
    if (messages.length < 1 || messages.length > 5 || bad >= 0) {
      throw new Violation(
        `bad messages (${messages.length}, first bad: ${bad})`,
        lineError(400, 'The request body has 1 error(s)'),
      );
    }
    const sentMessages = messages.map(() => ({ id: `5${randomDigits(17)}`, quoteToken: randomUUID() }));
    const text = messages.flatMap((message) => (isText(message['text']) ? [message['text']] : [])).join('\n');
    const medias = texts(messages.map((message) => message['originalContentUrl']));
    const id = sentMessages[0]?.id ?? '';
    received.push({ id, method, to, from: '', text, medias, key, statusCallbackUrl: '', body });
    return { requestId: randomUUID(), sentMessages };
  }

  return startFake(handle, {
    expireReplyToken: (token: string) => void spentTokens.add(token),
    putContent: (id: string, contentType: string, bytes: Uint8Array) => void contents.set(id, { contentType, bytes }),
  });
}

const retryAnswer = (earlier: { requestId: string; sentMessages: { id: string }[] }): Answer =>
  json(
    409,
    { message: 'The retry key is already accepted', sentMessages: earlier.sentMessages },
    { 'x-line-request-id': randomUUID(), 'x-line-accepted-request-id': earlier.requestId },
  );

const contentAnswer = (content: { contentType: string; bytes: Uint8Array } | undefined): Answer =>
  content
    ? { status: 200, headers: { 'content-type': content.contentType }, body: content.bytes }
    : lineError(404, 'Not found');

function isLineMessage(message: Record<string, unknown>, protocols: string[]): boolean {
  const url = isUrl(message['originalContentUrl'], protocols);
  switch (message['type']) {
    case 'text':
      return isText(message['text']) && message['text'].length <= 5000;
    case 'image':
    case 'video':
      return url && isUrl(message['previewImageUrl'], protocols);
    case 'audio':
      return url && Number.isInteger(message['duration']);
    default:
      return false;
  }
}

const randomDigits = (count: number): string =>
  Array.from({ length: count }, () => Math.floor(Math.random() * 10)).join('');

// -------------------------------------------------------------------------------------------------------- Twilio

export interface TwilioFakeOptions {
  accountSid: string;
  authToken: string;
}

export interface TwilioFake extends ProviderFake {
  /** Stores a file. @returns its `MediaUrl`, for a webhook. The URL redirects to a path that needs no credentials. */
  putMedia(contentType: string, bytes: Uint8Array): string;
}

const twilioError = (status: number, code: number, message: string): Answer =>
  json(status, { code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status });

const TWILIO_FIELDS = ['To', 'From', 'MessagingServiceSid', 'Body', 'MediaUrl', 'StatusCallback', 'ValidityPeriod'];
const E164 = /^\+[1-9]\d{1,14}$/;

export async function startTwilio(options: TwilioFakeOptions): Promise<TwilioFake> {
  const account = `/2010-04-01/Accounts/${options.accountSid}`;
  const basic = `Basic ${Buffer.from(`${options.accountSid}:${options.authToken}`).toString('base64')}`;
  const files = new Map<string, { contentType: string; bytes: Uint8Array }>();

  function handle(request: Incoming, received: Received[]): Answer {
    const authorization = header(request, 'authorization');
    if (request.url.pathname.startsWith('/cdn/')) return cdn(request.url.pathname.slice(5), authorization);
    if (authorization !== basic) throw new Violation('wrong Authorization', twilioError(401, 20003, 'Authenticate'));
    const file = request.url.pathname.startsWith(`${account}/Messages/`)
      ? request.url.pathname.split('/').at(-1)
      : undefined;
    if (request.method === 'GET' && file) return { status: 307, headers: { location: `/cdn/${file}` } };
    if (request.method !== 'POST' || request.url.pathname !== `${account}/Messages.json`) {
      throw new Violation('not in the API', twilioError(404, 20404, 'The requested resource was not found'));
    }
    return accept(request, received);
  }

  function cdn(file: string, authorization: string): Answer {
    if (authorization !== '') throw new Violation('credentials sent to the file store', { status: 400 });
    const found = files.get(file);
    return found ? { status: 200, headers: { 'content-type': found.contentType }, body: found.bytes } : { status: 404 };
  }

  function accept(request: Incoming, received: Received[]): Answer {
    const form = twilioForm(request);
    const id = `SM${randomUUID().replaceAll('-', '')}`;
    const text = form.get('Body') ?? '';
    const body = Object.fromEntries([...new Set(form.keys())].map((key) => [key, form.getAll(key)]));
    const statusCallbackUrl = form.get('StatusCallback') ?? '';
    const medias = form.getAll('MediaUrl');
    received.push({
      id,
      method: 'send',
      to: form.get('To') ?? '',
      from: form.get('From') ?? '',
      text,
      medias,
      key: '',
      statusCallbackUrl,
      body,
    });
    return json(201, { sid: id, status: 'queued', body: text, error_code: null });
  }

  const fake = await startFake(handle, {});
  const putMedia = (contentType: string, bytes: Uint8Array): string => {
    const id = `ME${randomUUID().replaceAll('-', '')}`;
    files.set(id, { contentType, bytes });
    return `${fake.url}${account}/Messages/MM${randomUUID().replaceAll('-', '')}/Media/${id}`;
  };
  return { ...fake, putMedia };
}

function twilioForm(request: Incoming): URLSearchParams {
  if (!/^application\/x-www-form-urlencoded(;|$)/.test(header(request, 'content-type'))) {
    throw new Violation('not a form', twilioError(400, 21604, "A 'To' phone number is required."));
  }
  const form = new URLSearchParams(request.body);
  const to = form.get('To') ?? '';
  onlyFields(Object.fromEntries(form), TWILIO_FIELDS, twilioError(400, 20001, 'Unknown parameter'));
  if (!E164.test(to)) throw new Violation('bad To', twilioError(400, 21211, `Invalid 'To' Phone Number: ${to}`));
  if (!form.get('From')) throw new Violation('no From', twilioError(400, 21603, "A 'From' phone number is required."));
  if (!form.get('Body') && !form.get('MediaUrl'))
    throw new Violation('no content', twilioError(400, 21619, 'Message body is required.'));
  if ((form.get('Body') ?? '').length > 1600)
    throw new Violation(
      'too long',
      twilioError(400, 21617, 'The concatenated message body exceeds the 1600 character limit'),
    );
  if (form.getAll('MediaUrl').length > 10)
    throw new Violation('too many medias', twilioError(400, 21623, 'Number of media files exceeds allowed limit'));
  const callback = form.get('StatusCallback');
  if (callback !== null && !isUrl(callback, ['http:', 'https:']))
    throw new Violation('bad StatusCallback', twilioError(400, 21609, 'Invalid StatusCallback'));
  return form;
}

// -------------------------------------------------------------------------------------------------------- Telnyx

const TELNYX_FIELDS = [
  'from',
  'to',
  'text',
  'subject',
  'media_urls',
  'type',
  'webhook_url',
  'webhook_failover_url',
  'use_profile_webhooks',
  'tags',
  'messaging_profile_id',
  'auto_detect',
];

const telnyxError = (status: number, code: string, title: string, detail: string): Answer =>
  json(status, { errors: [{ code, title, detail }] });

export interface TelnyxFakeOptions {
  apiKey: string;
}

export function startTelnyx(options: TelnyxFakeOptions): Promise<ProviderFake> {
  function handle(request: Incoming, received: Received[]): Answer {
    if (header(request, 'authorization') !== `Bearer ${options.apiKey}`) {
      throw new Violation(
        'wrong Authorization',
        telnyxError(401, '10009', 'Authentication failed', 'Could not understand the provided credentials.'),
      );
    }
    if (request.method !== 'POST' || request.url.pathname !== '/v2/messages') {
      throw new Violation(
        'not in the API',
        telnyxError(404, '10005', 'Resource not found', 'The requested resource or URL could not be found.'),
      );
    }
    const body = telnyxBody(request);
    const id = randomUUID();
    const text = textIn(body, 'text');
    const statusCallbackUrl = textIn(body, 'webhook_url');
    received.push({
      id,
      method: 'send',
      to: textIn(body, 'to'),
      from: textIn(body, 'from'),
      text,
      medias: texts(body['media_urls']),
      key: '',
      statusCallbackUrl,
      body,
    });
    return json(200, { data: { record_type: 'message', id, to: [{ phone_number: body['to'], status: 'queued' }] } });
  }
  return startFake(handle, {});
}

function telnyxBody(request: Incoming): Record<string, unknown> {
  const refusal = (detail: string): Answer => telnyxError(422, '10015', 'Invalid parameter', detail);
  const body = jsonBody(request, telnyxError(400, '10015', 'Bad Request', 'The request body is not valid JSON.'));
  onlyFields(body, TELNYX_FIELDS, refusal('unknown parameter'));
  const problem = telnyxProblem(body, texts(body['media_urls']));
  if (problem !== undefined) throw new Violation(problem, refusal(problem));
  return body;
}

function telnyxProblem(body: Record<string, unknown>, medias: string[]): string | undefined {
  const web = (value: unknown): boolean => isUrl(value, ['http:', 'https:']);
  const rules: [boolean, string][] = [
    [E164.test(textIn(body, 'to')), "'to' must be in E.164"],
    [isText(body['from']), "'from' is required"],
    [medias.length <= 10 && medias.every(web), "bad 'media_urls'"],
    [isText(body['text']) || medias.length > 0, "'text' or 'media_urls' is required"],
    [body['type'] === (medias.length > 0 ? 'MMS' : 'SMS'), "'type' does not fit the content"],
    [body['webhook_url'] === undefined || web(body['webhook_url']), "bad 'webhook_url'"],
    [body['tags'] === undefined || texts(body['tags']).length > 0, "'tags' must be texts"],
  ];
  return rules.find(([holds]) => !holds)?.[1];
}

// ------------------------------------------------------------------------------------------------ Signed webhooks

/** A webhook request as the provider sends it: `fetch(url, request)`. */
export interface SignedRequest {
  method: 'POST';
  headers: Record<string, string>;
  body: string;
}

/** LINE: base64(HMAC-SHA256(channel secret, body)). */
export function lineRequest(channelSecret: string, body: unknown): SignedRequest {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const signature = createHmac('sha256', channelSecret).update(text).digest('base64');
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json; charset=utf-8', 'x-line-signature': signature },
    body: text,
  };
}

/** One LINE event with its own ids; `event` overrides and adds. */
export const lineEvent = (userId: string, event: Record<string, unknown>): Record<string, unknown> => ({
  mode: 'active',
  timestamp: Date.now(),
  source: { type: 'user', userId },
  webhookEventId: `01${randomUUID().replaceAll('-', '').toUpperCase().slice(0, 24)}`,
  deliveryContext: { isRedelivery: false },
  ...event,
});

/** A text message from a LINE user, with a reply token. */
export const lineText = (userId: string, text: string, event: Record<string, unknown> = {}): Record<string, unknown> =>
  lineEvent(userId, {
    type: 'message',
    replyToken: randomUUID().replaceAll('-', ''),
    message: { type: 'text', id: `4${randomDigits(17)}`, quoteToken: 'q', text },
    ...event,
  });

export const lineBody = (...events: Record<string, unknown>[]): Record<string, unknown> => ({
  destination: `U${'0'.repeat(32)}`,
  events,
});

/** Twilio: base64(HMAC-SHA1(auth token, URL + sorted parameters)). `url` is the full URL that Twilio calls. */
export function twilioRequest(
  authToken: string,
  url: string,
  params: Record<string, string | string[]>,
): SignedRequest {
  const pairs = Object.entries(params).flatMap(([key, value]) =>
    [value].flat().map((one): [string, string] => [key, one]),
  );
  const names = Object.keys(params).toSorted();
  const valuesOf = (name: string): string[] => [...new Set([params[name] ?? []].flat())].toSorted();
  const signed = url + names.flatMap((name) => valuesOf(name).map((value) => name + value)).join('');
  const signature = createHmac('sha1', authToken).update(signed, 'utf8').digest('base64');
  return {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8', 'x-twilio-signature': signature },
    body: new URLSearchParams(pairs).toString(),
  };
}

/** The parameters of an inbound message; `more` overrides and adds. */
export function twilioMessage(
  accountSid: string,
  from: string,
  to: string,
  text: string,
  more: Record<string, string> = {},
): Record<string, string> {
  const sid = `SM${randomUUID().replaceAll('-', '')}`;
  return {
    ToCountry: 'US',
    SmsMessageSid: sid,
    NumMedia: '0',
    SmsSid: sid,
    SmsStatus: 'received',
    Body: text,
    To: to,
    NumSegments: '1',
    MessageSid: sid,
    AccountSid: accountSid,
    From: from,
    ApiVersion: '2010-04-01',
    ...more,
  };
}

/** The parameters of a status callback. */
export const twilioStatus = (
  accountSid: string,
  messageSid: string,
  status: string,
  more: Record<string, string> = {},
): Record<string, string> => ({
  SmsSid: messageSid,
  SmsStatus: status,
  MessageStatus: status,
  MessageSid: messageSid,
  AccountSid: accountSid,
  ApiVersion: '2010-04-01',
  ...more,
});

export interface TelnyxSigner {
  /** For the account's `secret`. */
  publicKey: string;
  request(body: unknown, timestampMs?: number): SignedRequest;
}

/** A Telnyx account's key pair: ed25519 over `timestamp|body`. */
export function telnyxSigner(): TelnyxSigner {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url').toString('base64');
  return {
    publicKey: raw,
    request(body, timestampMs = Date.now()) {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const timestamp = `${Math.floor(timestampMs / 1000)}`;
      const signature = sign(null, Buffer.from(`${timestamp}|${text}`), privateKey).toString('base64');
      const headers = { 'telnyx-timestamp': timestamp, 'telnyx-signature-ed25519': signature };
      return { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: text };
    },
  };
}

/** A Telnyx event in its envelope. */
export const telnyxEvent = (eventType: string, payload: Record<string, unknown>): Record<string, unknown> => ({
  data: {
    record_type: 'event',
    id: randomUUID(),
    event_type: eventType,
    occurred_at: new Date().toISOString(),
    payload,
  },
  meta: { attempt: 1, delivered_to: 'https://example.invalid/hooks' },
});

export const telnyxReceived = (from: string, to: string, text: string, more: Record<string, unknown> = {}) =>
  telnyxEvent('message.received', {
    record_type: 'message',
    id: randomUUID(),
    direction: 'inbound',
    type: 'SMS',
    text,
    media: [],
    errors: [],
    from: { phone_number: from },
    to: [{ phone_number: to, status: 'webhook_delivered' }],
    ...more,
  });

export const telnyxReport = (messageId: string, to: string, status: string, errors: unknown[] = []) =>
  telnyxEvent(status === 'sent' ? 'message.sent' : 'message.finalized', {
    record_type: 'message',
    id: messageId,
    direction: 'outbound',
    type: 'SMS',
    errors,
    to: [{ phone_number: to, status }],
  });
