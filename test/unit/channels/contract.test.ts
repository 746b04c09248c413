import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { channelOf, channels, knownChannels } from '../../../src/channels/registry.ts';
import { media } from '../../../src/domain/content.ts';
import { address } from '../../../src/domain/addresses.ts';
import { accountOf, deadUrl, hook, io, NOW, outbound } from './support.ts';

const STATUSES = [200, 201, 204, 301, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503, 504];

test('finds a channel by type, and by provider where the type has several', () => {
  for (const channel of channels) {
    const account = accountOf(channel.id);
    expect(channelOf(channel.accountType, account.providerData)).toBe(channel);
  }
  expect(channelOf('sms', {})).toBeNull();
  expect(channelOf('sms', { provider: 'pigeon' })).toBeNull();
  expect(channelOf('sms', { provider: ['twilio'] })).toBeNull();
  expect(channelOf('sms/twilio', {})).toBeNull();
  expect(channelOf('line', { provider: 'twilio' })?.id).toBe('line');
  expect(new Set(knownChannels).size).toBe(channels.length);
});

describe.each(channels.map((channel) => [channel.id, channel] as const))('%s', (id, channel) => {
  const account = accountOf(id);

  test('takes its own credentials, and they stay the same when they are saved again', () => {
    const { secret, token, providerData } = account;
    const once = channel.credentials.parse({ secret, token, providerData });
    expect(once).toEqual({ secret, token, providerData });
    expect(channel.credentials.parse(once)).toEqual(once);
  });

  test('names the field that is missing, wrong or unknown', () => {
    const paths = (value: unknown) =>
      channel.credentials.safeParse(value).error?.issues.map((issue) => issue.path.join('.'));
    const good = { secret: account.secret, token: account.token, providerData: account.providerData };
    if (account.token !== '') expect(paths({ ...good, token: '' })).toContain('token');
    if (account.token !== '') expect(paths({ ...good, token: 'two\nlines' })).toEqual(['token']);
    if (account.secret !== '') expect(paths({ ...good, secret: undefined })).toEqual(['secret']);
    for (const key of Object.keys(account.providerData)) {
      expect(paths({ ...good, providerData: { ...account.providerData, [key]: 'no such thing' } })).toEqual([
        `providerData.${key}`,
      ]);
    }
    expect(paths({ ...good, providerData: { ...account.providerData, nonsense: 'x' } })).toEqual(['providerData']);
  });

  test('fails closed: no headers, garbage headers, an account without secrets', async () => {
    expect(await channel.verify(hook('{}'), account, NOW)).toBe(false);
    const names = [
      'x-line-signature',
      'x-twilio-signature',
      'telnyx-signature-ed25519',
      'telnyx-timestamp',
      'x-hub-signature-256',
    ];
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), fc.base64String(), async (body, value) => {
        const request = hook(body, Object.fromEntries(names.map((name) => [name, value])));
        expect(await channel.verify(request, account, NOW)).toBe(false);
        expect(await channel.verify(request, { ...account, secret: '', token: '' }, NOW)).toBe(false);
      }),
      { numRuns: 50 },
    );
  });

  test('answers garbage with an error that does not quote it, and never throws', () => {
    const jsonText = fc.json().map((text) => new TextEncoder().encode(text));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), jsonText), fc.string(), (body, url) => {
        const parsed = channel.parse(hook(body, {}, url), account, NOW);
        if (parsed.ok) expect(parsed.value).toEqual({ inbound: [], receipts: [] });
        else expect(parsed.error.length).toBeLessThan(100);
      }),
    );
    expect(channel.parse(hook('SECRET-GARBAGE'), account, NOW)).toMatchObject({ ok: false });
    expect(JSON.stringify(channel.parse(hook('SECRET-GARBAGE'), account, NOW))).not.toContain('SECRET-GARBAGE');
  });

  test('tells its own address and key from the account alone', () => {
    const { address: self, key } = channel.self(account);
    expect(key).not.toBe('');
    expect(channel.self(account)).toEqual({ address: self, key });
    expect(channel.acknowledgement.status).toBe(200);
  });

  test('counts segments where it is SMS', () => {
    const expected = channel.accountType === 'sms' ? { encoding: 'GSM-7', count: 1 } : null;
    expect(channel.segments('hello')).toEqual(expected);
    expect(channel.segments('')).toBeNull();
  });
});

/** Those that no request leaves the runtime for: the visitor reads the log, and Cloudflare's binding takes the mail. */
const WITHOUT_HTTP = ['chat', 'email'];
const overHttp = channels.filter(({ id }) => !WITHOUT_HTTP.includes(id));

describe.each(overHttp.map((channel) => [channel.id, channel] as const))('%s over HTTP', (id, channel) => {
  const account = accountOf(id);
  const secrets = [account.secret, account.token].filter((secret) => secret !== '');

  test('turns every answer into an outcome that holds no secret', async () => {
    for (const status of STATUSES) {
      const body = `{"message":"${secrets.join(' ')}","code":"${secrets[0] ?? 7}","errors":[{"code":"1","detail":"${secrets.join(' ')}"}]}`;
      const fetch = () => Promise.resolve(new Response(status === 204 ? null : body, { status }));
      const outcome = await channel.send(outbound(), account, { ...io('https://provider.example'), fetch });
      const kinds =
        status < 300 ? ['accepted'] : status === 429 || status >= 500 ? ['retry', 'unknown'] : ['rejected', 'accepted'];
      expect(kinds).toContain(outcome.kind);
      for (const secret of secrets) expect(JSON.stringify(outcome)).not.toContain(secret);
    }
  });

  test('caps what a provider says about itself', async () => {
    const long = 'x'.repeat(200_000);
    const fetch = () => Promise.resolve(Response.json({ message: long, code: long }, { status: 400 }));
    const outcome = await channel.send(outbound(), account, { ...io('https://provider.example'), fetch });
    expect(JSON.stringify(outcome).length).toBeLessThan(700);
  });

  test('an accepted message whose answer breaks off is accepted', async () => {
    const broken = () => new ReadableStream({ pull: (controller) => controller.error(new Error('lost')) });
    const fetch = () => Promise.resolve(new Response(broken(), { status: 200 }));
    const outcome = await channel.send(outbound(), account, { ...io('https://provider.example'), fetch });
    expect(outcome).toEqual({ kind: 'accepted', providerId: '' });
  });

  test('a refused connection may be tried again, a lost one may have been accepted', async () => {
    const refused = await channel.send(outbound(), account, io(await deadUrl()));
    expect(refused).toMatchObject({ kind: 'retry', code: 'UNREACHABLE', retryAfterMs: null });
    const fetch = () => Promise.reject(new Error('Network connection lost.'));
    const lost = await channel.send(outbound(), account, { ...io('https://provider.example'), fetch });
    expect(lost).toMatchObject({ kind: 'unknown', code: 'CONNECTION_LOST' });
  });

  test('sends one request with what its limits allow, to its own base, following no redirect', async () => {
    const calls: { url: string; init: RequestInit | undefined }[] = [];
    const fetch = (url: string, init?: RequestInit) => {
      calls.push({ url, init });
      return Promise.resolve(Response.json({}));
    };
    const medias = Array.from({ length: channel.limits.maxMedias }, (_, i) =>
      media('image/png', { url: `https://x.example/${i}.png` }),
    );
    const most = outbound({
      text: 'a'.repeat(channel.limits.maxTextLength),
      medias,
      from: address('tel', '+18005550100'),
    });
    await channel.send(most, account, { ...io('https://provider.example'), fetch });
    expect(calls).toHaveLength(1);
    expect(calls[0]?.url).toMatch(/^https:\/\/provider\.example\//);
    expect(calls[0]?.init).toMatchObject({ method: 'POST', redirect: 'manual' });
    expect(calls[0]?.init?.signal).toBeInstanceOf(AbortSignal);
    for (const secret of secrets) expect(calls[0]?.url).not.toContain(secret);
  });

  test('a file that cannot be fetched is an answer, not an exception', async () => {
    const part = media('image/png', { url: 'https://x.example/1.png', providerRef: 'https://x.example/1.png' });
    const fetch = () => Promise.reject(new Error('Network connection lost.'));
    const response = await channel.fetchMedia(part, account, { ...io('https://provider.example'), fetch });
    expect(response.status).toBeGreaterThanOrEqual(400);
  });
});
