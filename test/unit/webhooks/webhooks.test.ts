import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { newWebhookSecret } from '../../../src/security/tokens.ts';
import { checkResolved, checkTarget } from '../../../src/webhooks/guard.ts';
import { MAX_WEBHOOK_ATTEMPTS, parseRetryAfter, webhookDelay } from '../../../src/webhooks/schedule.ts';
import { signedHeaders } from '../../../src/webhooks/sign.ts';

const HOUR = 3600_000;

describe('the retry schedule', () => {
  test('is that of the spec: nine more attempts over three days', () => {
    const delays = Array.from({ length: 9 }, (_, index) => webhookDelay(index + 1, null, 0.5));
    expect(delays).toEqual([5000, 300_000, 1_800_000, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR]);
    expect(webhookDelay(MAX_WEBHOOK_ATTEMPTS, null, 0.5)).toBeNull();
    expect(webhookDelay(MAX_WEBHOOK_ATTEMPTS, 1000, 0.5)).toBeNull();
  });

  test('spreads by a tenth, and never further', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (jitter) => {
        const delay = webhookDelay(2, null, jitter) ?? 0;
        return delay >= 270_000 && delay <= 330_000;
      }),
    );
  });

  test('gives way to the receiver’s Retry-After, up to a day', () => {
    expect(webhookDelay(1, 3_600_000, 0)).toBe(3_600_000);
    expect(webhookDelay(1, 1e12, 0)).toBe(24 * HOUR);
    expect(parseRetryAfter('120', 0)).toBe(120_000);
    expect(parseRetryAfter('Thu, 01 Jan 1970 00:01:00 GMT', 0)).toBe(60_000);
    for (const header of [null, '', 'soon', '-5', '1e99x']) expect(parseRetryAfter(header, 0)).toBeNull();
  });
});

describe('signatures', () => {
  test('of any body are accepted by the standardwebhooks library, with one and with two secrets', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), fc.boolean(), async (text, rotating) => {
        const [present, previous] = [newWebhookSecret(), newWebhookSecret()];
        const webhook = { id: 'evt_1', timestamp: Math.floor(Date.now() / 1000), body: JSON.stringify({ text }) };
        const headers = await signedHeaders(webhook, rotating ? [present, previous] : [present]);
        for (const secret of rotating ? [present, previous] : [present]) {
          expect(new Webhook(secret).verify(webhook.body, headers)).toEqual({ text });
        }
        expect(() => new Webhook(newWebhookSecret()).verify(webhook.body, headers)).toThrow();
      }),
    );
  });

  test('take a secret of another form by its text', async () => {
    const secret = 'a-secret-of-their-own';
    const webhook = { id: 'evt_1', timestamp: Math.floor(Date.now() / 1000), body: '{}' };
    const headers = await signedHeaders(webhook, [secret]);
    expect(new Webhook(secret, { format: 'raw' }).verify('{}', headers)).toEqual({});
  });
});

describe('the guard', () => {
  const PRIVATE = [
    'https://127.0.0.1/',
    'https://10.1.2.3/',
    'https://192.168.0.1/',
    'https://172.16.5.5/',
    'https://169.254.169.254/latest',
    'https://0.0.0.0/',
    'https://100.64.0.1/',
    'https://[::1]/',
    'https://[fd00::1]/',
    'https://[fe80::1]/',
    'https://[::ffff:10.0.0.1]/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://0177.0.0.1/',
    'https://224.0.0.1/',
    'https://255.255.255.255/',
    'https://[64:ff9b::a00:1]/',
    'https://localhost/',
    'https://service.local/',
    'https://intranet/',
    'https://x.internal/',
    'https://a.localhost./',
    'https://printer.lan/',
  ];

  test('refuses every private and reserved target, however it is written', () => {
    for (const url of PRIVATE) expect(checkTarget(url, false).ok, url).toBe(false);
  });

  test('refuses plain http, passwords, odd ports and other schemes', () => {
    for (const url of [
      'http://example.com/',
      'https://a:b@example.com/',
      'https://example.com:22/',
      'ftp://example.com/',
      'file:///etc/passwd',
      '',
    ]) {
      expect(checkTarget(url, false).ok, url).toBe(false);
    }
    for (const url of [
      'https://example.com/hook?x=1',
      'https://example.com:8443/',
      'https://93.184.216.34/',
      'https://[2606:2800:220:1::1]/',
    ]) {
      expect(checkTarget(url, false).ok, url).toBe(true);
    }
  });

  test('refuses a public name that leads into a private network, at the time of sending', async () => {
    const check = (addresses: string[]) =>
      checkResolved('https://evil.example.com/', { allowPrivate: false, resolve: async () => addresses });
    expect((await check(['93.184.216.34'])).ok).toBe(true);
    expect((await check(['93.184.216.34', '10.0.0.1'])).ok).toBe(false);
    expect((await check(['::ffff:127.0.0.1'])).ok).toBe(false);
  });

  test('lets development go where it wants, but only by http and https', () => {
    expect(checkTarget('http://127.0.0.1:9000/x', true).ok).toBe(true);
    expect(checkTarget('ftp://127.0.0.1/', true).ok).toBe(false);
  });
});
