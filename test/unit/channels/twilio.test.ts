import { createHash, createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import fc from 'fast-check';
import { getExpectedTwilioSignature, validateRequest } from 'twilio/lib/webhooks/webhooks.js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { twilio } from '../../../src/channels/sms/twilio/index.ts';
import { media } from '../../../src/domain/content.ts';
import { startTwilio, twilioMessage, twilioRequest, twilioStatus, type TwilioFake } from '../../fakes/providers.ts';
import {
  ACCOUNT_SID,
  accountOf,
  changed,
  content,
  CONVERSATION,
  DELIVERY,
  fixture,
  fixtures,
  hook,
  io,
  NOW,
  outbound,
  signedHook,
  STATUS_URL,
} from './support.ts';

const account = accountOf('sms/twilio');
const HOOK = 'https://parley.example/hooks/a1';
const SIGNATURE = 'x-twilio-signature';

const verify = (url: string, params: Record<string, string | string[]>, signature: string) => {
  const pairs = Object.entries(params).flatMap(([key, value]) =>
    [value].flat().map((one): [string, string] => [key, one]),
  );
  return twilio.verify(hook(new URLSearchParams(pairs).toString(), { [SIGNATURE]: signature }, url), account, NOW);
};

describe('signature', () => {
  test('takes the vector of Twilio’s documentation', async () => {
    const params = {
      CallSid: 'CA1234567890ABCDE',
      Caller: '+14158675309',
      Digits: '1234',
      From: '+14158675309',
      To: '+18005551212',
    };
    const url = 'https://mycompany.com/myapp.php?foo=1&bar=2';
    const request = hook(new URLSearchParams(params).toString(), { [SIGNATURE]: 'RSOYDt4T1cUTdK1PDd93/VVr8B8=' }, url);
    expect(await twilio.verify(request, { ...account, token: '12345' }, NOW)).toBe(true);
  });

  test('agrees with Twilio’s own library over any parameters, repeated ones included', async () => {
    // Integer-like names aside: URLSearchParams keeps them in place, and so do both implementations after sorting.
    const name = fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => text !== '__proto__');
    const value = fc.oneof(fc.string({ unit: 'grapheme' }), fc.array(fc.string(), { minLength: 1, maxLength: 4 }));
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(name, value, { noNullPrototype: true }),
        fc.webUrl({ withQueryParameters: true }),
        async (params, url) => {
          fc.pre(!url.includes('bodySHA256') && wellFormed(params));
          const signature = getExpectedTwilioSignature(account.token, url, params);
          expect(await verify(url, params, signature)).toBe(true);
          expect(twilioRequest(account.token, url, params).headers[SIGNATURE]).toBe(signature);
        },
      ),
    );
  });

  test('takes the URL with and without the default port, as Twilio’s library does', async () => {
    const params = twilioMessage(ACCOUNT_SID, '+12065550123', '+18005550100', 'hi');
    for (const [signed, called] of [
      ['https://parley.example:443/hooks/a1?x=1', 'https://parley.example/hooks/a1?x=1'],
      ['https://parley.example/hooks/a1?x=1', 'https://parley.example:443/hooks/a1?x=1'],
      ['http://parley.example:80/hooks/a1', 'http://parley.example/hooks/a1'],
      ['https://parley.example/hooks/a1', 'https://parley.example:8443/hooks/a1'],
      ['https://parley.example:8443/hooks/a1', 'https://parley.example:8443/hooks/a1'],
    ] as const) {
      const signature = getExpectedTwilioSignature(account.token, signed, params);
      expect(validateRequest(account.token, signature, called, params), called).toBe(true);
      expect(await verify(called, params, signature), called).toBe(true);
    }
  });

  test('a body that is no form is bound by its hash in the signed URL', async () => {
    const body = '{"some":"json"}';
    const url = `${HOOK}?bodySHA256=${createHash('sha256').update(body).digest('hex')}`;
    const signature = getExpectedTwilioSignature(account.token, url, {});
    expect(await twilio.verify(hook(body, { [SIGNATURE]: signature }, url), account, NOW)).toBe(true);
    expect(await twilio.verify(hook(`${body} `, { [SIGNATURE]: signature }, url), account, NOW)).toBe(false);
  });

  test('refuses every forged, foreign, missing or truncated signature, and every changed parameter', async () => {
    const params = twilioMessage(ACCOUNT_SID, '+12065550123', '+18005550100', 'hi');
    const request = signedHook(twilioRequest(account.token, HOOK, params), HOOK);
    const signature = request.headers.get(SIGNATURE) ?? '';
    expect(await twilio.verify(request, account, NOW)).toBe(true);
    const sha256 = createHmac('sha256', account.token).update(HOOK).digest('base64');
    for (const forged of [null, '', signature.slice(0, -1), signature.slice(0, 10), `${signature}AAAA`, sha256, '?']) {
      expect(await twilio.verify(changed(request, SIGNATURE, forged), account, NOW)).toBe(false);
    }
    for (const [key, value] of Object.entries(params)) {
      expect(await verify(HOOK, { ...params, [key]: `${value}x` }, signature), key).toBe(false);
    }
    expect(await verify(HOOK, { ...params, Extra: '' }, signature)).toBe(false);
    expect(await verify(`${HOOK}?delivery=1`, params, signature)).toBe(false);
    expect(await twilio.verify(request, { ...account, token: 'another' }, NOW)).toBe(false);
    expect(await twilio.verify(request, { ...account, token: '' }, NOW)).toBe(false);
  });
});

/** A lone surrogate does not survive the wire, whoever signs it. */
const wellFormed = (value: unknown): boolean => JSON.stringify(value).isWellFormed();

describe('inbound', () => {
  const parse = (name: string, url?: string) => content(twilio, fixture('twilio', name), url);

  test('every fixture parses the same twice', () => {
    for (const [name, body] of fixtures('twilio')) {
      const once = twilio.parse(hook(body, {}, STATUS_URL), account, NOW);
      expect(twilio.parse(hook(body, {}, STATUS_URL), account, NOW), name).toEqual(once);
      expect(once.ok, name).toBe(name !== 'foreign-account');
    }
  });

  test('an SMS is a message of that number', () => {
    expect(parse('sms').inbound).toEqual([
      {
        peer: { type: 'tel', target: '+12065550123', targetName: '', name: '', detail: '' },
        dialogId: '+12065550123',
        occurredAt: NOW,
        item: {
          kind: 'message',
          dedupeKey: 'twilio:SM11111111111111111111111111111111',
          text: 'Hello & welcome: 50% + 안녕 👋',
          medias: [],
          senderId: '+12065550123',
          senderName: '',
          replyToken: null,
        },
      },
    ]);
  });

  test('an MMS’ files are behind the account’s credentials', () => {
    const base = `https://api.twilio.com/2010-04-01/Accounts/${ACCOUNT_SID}/Messages/MM3/Media`;
    const medias = [
      media('image/jpeg', { providerRef: `${base}/ME1` }),
      media('video/mp4', { providerRef: `${base}/ME2` }),
    ];
    expect(parse('mms').inbound[0]?.item).toMatchObject({ text: '', medias });
  });

  test('nothing becomes an empty text, and a sender that is no number is kept', () => {
    expect(parse('empty').inbound[0]?.item).toMatchObject({ text: '[empty message]' });
    expect(parse('short-code').inbound[0]?.peer.target).toBe('32665');
    expect(parse('opt-out').inbound[0]?.item).toMatchObject({ text: 'STOP' });
  });

  test('another account’s request is refused, whoever signed it', () => {
    expect(twilio.parse(hook(fixture('twilio', 'foreign-account')), account, NOW)).toMatchObject({ ok: false });
  });

  test.each([
    ['accepted', 'sending'],
    ['scheduled', 'sending'],
    ['queued', 'sending'],
    ['sending', 'sending'],
    ['sent', 'sent'],
    ['partially-delivered', 'sent'],
    ['delivered', 'delivered'],
    ['read', 'read'],
  ])('status %s is %s', (name, status) => {
    const news = { status, providerId: 'SM77777777777777777777777777777777' };
    expect(parse(`status-${name}`, STATUS_URL)).toEqual({
      inbound: [],
      receipts: [{ conversationId: CONVERSATION, deliveryId: DELIVERY, news }],
    });
  });

  test.each([
    ['failed', '21610'],
    ['undelivered', '30003'],
    ['canceled', 'canceled'],
  ])('status %s failed with code %s', (name, code) => {
    const error = { code, text: `Twilio reports ${name}` };
    expect(parse(`status-${name}`, STATUS_URL).receipts).toMatchObject([{ news: { status: 'failed', error } }]);
  });

  test('a report without our query, or with a status from the future, tells nothing', () => {
    expect(parse('status-delivered')).toEqual({ inbound: [], receipts: [] });
    expect(parse('status-delivered', `${HOOK}?conversation=1&delivery=2`)).toEqual({ inbound: [], receipts: [] });
    expect(parse('status-future', STATUS_URL)).toEqual({ inbound: [], receipts: [] });
  });

  test('the fake’s callbacks are read like Twilio’s', () => {
    const body = new URLSearchParams(twilioStatus(ACCOUNT_SID, 'SM1', 'delivered')).toString();
    expect(content(twilio, body, STATUS_URL).receipts).toMatchObject([
      { news: { status: 'delivered', providerId: 'SM1' } },
    ]);
  });
});

describe('outbound', () => {
  let fake: TwilioFake;
  beforeEach(async () => {
    fake = await startTwilio({ accountSid: ACCOUNT_SID, authToken: account.token });
  });
  afterEach(() => fake.close());

  const send = (parts: Parameters<typeof outbound>[0] = {}) => twilio.send(outbound(parts), account, io(fake.url));

  test('sends text and files with the callback of this delivery', async () => {
    const medias = [1, 2].map((n) => media('image/png', { url: `https://x.example/${n}.png` }));
    expect(await send({ text: 'héllo & 안녕', medias })).toEqual({
      kind: 'accepted',
      providerId: fake.received[0]?.id,
    });
    expect(fake.received).toMatchObject([
      {
        to: '+12065550123',
        from: '+18005550100',
        text: 'héllo & 안녕',
        medias: medias.map(({ url }) => url),
        statusCallbackUrl: STATUS_URL,
      },
    ]);
    await send({ text: '', medias });
    expect(fake.received[1]?.body).not.toHaveProperty('Body');
    expect(fake.violations).toEqual([]);
  });

  test.each([
    [400, '21211'],
    [401, '20003'],
    [403, '21408'],
    [404, '20404'],
  ])('%i rejects with Twilio’s code', async (status, code) => {
    fake.failNext({ kind: 'status', status, body: JSON.stringify({ code: Number(code), message: 'no', status }) });
    expect(await send()).toEqual({ kind: 'rejected', code, text: 'no' });
  });

  test.each([429, 500, 503])('%i is tried again after the wait that Twilio asks for', async (status) => {
    const until = new Date(Date.now() + 60_000).toUTCString();
    fake.failNext({
      kind: 'status',
      status,
      headers: { 'retry-after': until },
      body: '{"code":20429,"message":"Too Many Requests"}',
    });
    const outcome = await send();
    expect(outcome).toMatchObject({ kind: 'retry', code: '20429', text: 'Too Many Requests' });
    if (outcome.kind === 'retry') expect(Math.abs((outcome.retryAfterMs ?? 0) - 60_000)).toBeLessThan(3000);
  });

  test.each([
    ['hang', 'TIMEOUT'],
    ['accept-hang', 'TIMEOUT'],
    ['drop', 'CONNECTION_LOST'],
    ['accept-drop', 'CONNECTION_LOST'],
  ] as const)('%s is unknown: Twilio has no idempotency key', async (kind, code) => {
    fake.failNext({ kind });
    expect(await send()).toMatchObject({ kind: 'unknown', code });
  });

  test('a gateway that lost the request is unknown', async () => {
    fake.failNext({ kind: 'status', status: 504 });
    expect(await send()).toMatchObject({ kind: 'unknown', code: 'HTTP_504' });
  });

  test('a redirect is a refusal: the credentials do not follow it', async () => {
    fake.failNext({ kind: 'status', status: 307, headers: { location: `${fake.url}/elsewhere` } });
    expect(await send()).toMatchObject({ kind: 'rejected', code: 'HTTP_307' });
    expect(fake.attempts()).toBe(1);
  });

  test('fetches a file, and shows the credentials to Twilio only', async () => {
    const providerRef = fake.putMedia('image/png', new Uint8Array([7]));
    const response = await twilio.fetchMedia(media('image/png', { providerRef }), account, io(fake.url));
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(new Uint8Array([7]));
    expect(fake.violations).toEqual([]);
  });

  /** A server that leads its readers in a circle. */
  async function circle(): Promise<{ url: string; seen: (string | undefined)[]; close: () => void }> {
    const seen: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(302, { location: '/again' }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const bound = server.address();
    const port = typeof bound === 'object' ? bound?.port : 0;
    return { url: `http://127.0.0.1:${port}`, seen, close: () => server.close() };
  }

  test('reads no file that is not at Twilio: the account’s owner can sign any MediaUrl', async () => {
    const elsewhere = await circle();
    const part = media('image/png', { providerRef: `${elsewhere.url}/file` });
    expect((await twilio.fetchMedia(part, account, io(fake.url))).status).toBe(404);
    elsewhere.close();
    expect(elsewhere.seen).toEqual([]);
  });

  test('ends endless redirects, which carry no credentials, and follows none into a private network', async () => {
    const base = await circle();
    const part = media('image/png', { providerRef: `${base.url}/file` });
    expect((await twilio.fetchMedia(part, account, io(base.url))).status).toBe(502);
    expect(base.seen.map((credentials) => credentials !== undefined)).toEqual([true, false, false, false, false]);
    const guarded = { ...io(base.url), mayRead: () => false };
    expect((await twilio.fetchMedia(part, account, guarded)).status).toBe(502);
    expect(base.seen).toHaveLength(6);
    base.close();
  });

  test.each([
    ['https://api.twilio.com/x', true],
    ['https://media.twilio.com/x', true],
    ['http://api.twilio.com/x', false],
    ['https://twilio.com.evil.example/x', false],
    ['https://eviltwilio.com/x', false],
    ['https://api.twilio.com@evil.example/x', false],
  ])('%s gets credentials: %s', async (providerRef, expected) => {
    let authorization: string | null = null;
    const fetch = (_url: string, init?: RequestInit) => {
      authorization = new Headers(init?.headers).get('authorization');
      return Promise.resolve(new Response('file'));
    };
    await twilio.fetchMedia(media('image/png', { providerRef }), account, { ...io('https://api.twilio.com'), fetch });
    expect(authorization !== null).toBe(expected);
  });
});

test('only an E.164 number of ours is taken, in one spelling', () => {
  const number = (text: string) => {
    const { secret, token } = account;
    return twilio.credentials.safeParse({ secret, token, providerData: { ...account.providerData, number: text } }).data
      ?.providerData['number'];
  };
  expect(number('+1 (800) 555-0100')).toBe('+18005550100');
  expect(number('0018005550100')).toBe('+18005550100');
  for (const bad of ['8005550100', '32665', 'BANK', '', '+0123']) expect(number(bad), bad).toBeUndefined();
});
