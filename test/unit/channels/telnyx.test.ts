import { createServer } from 'node:http';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { telnyx } from '../../../src/channels/sms/telnyx/index.ts';
import { media } from '../../../src/domain/content.ts';
import { startTelnyx, telnyxReceived, telnyxReport, telnyxSigner, type ProviderFake } from '../../fakes/providers.ts';
import {
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
  signer,
  STATUS_URL,
} from './support.ts';

const account = accountOf('sms/telnyx');
const SIGNATURE = 'telnyx-signature-ed25519';
const TIMESTAMP = 'telnyx-timestamp';
const MINUTE = 60_000;

describe('signature', () => {
  test('agrees with an ed25519 signature over timestamp and raw body, whatever the body', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (body) => {
        expect(await telnyx.verify(signedHook(signer.request(body, NOW)), account, NOW)).toBe(true);
      }),
    );
  });

  test('holds for five minutes in either direction', async () => {
    for (const [age, holds] of [
      [0, true],
      [5 * MINUTE, true],
      [-5 * MINUTE, true],
      [5 * MINUTE + 1000, false],
      [-5 * MINUTE - 1000, false],
    ] as const) {
      expect(await telnyx.verify(signedHook(signer.request('{}', NOW - age)), account, NOW), `${age}`).toBe(holds);
    }
  });

  test('refuses every forged, foreign, missing or truncated signature and a changed timestamp or body', async () => {
    const request = signedHook(signer.request('{"data":{}}', NOW));
    const signature = request.headers.get(SIGNATURE) ?? '';
    const foreign = telnyxSigner().request('{"data":{}}', NOW).headers[SIGNATURE] ?? '';
    for (const forged of [null, '', foreign, signature.slice(0, -4), signature.slice(0, -1), `${signature}AAAA`, '?']) {
      expect(await telnyx.verify(changed(request, SIGNATURE, forged), account, NOW)).toBe(false);
    }
    for (const forged of [null, '', `${NOW / 1000 + 1}`, 'now', `${NOW}`, `0${NOW / 1000}`, ` ${NOW / 1000}.0`]) {
      expect(await telnyx.verify(changed(request, TIMESTAMP, forged), account, NOW)).toBe(false);
    }
    expect(await telnyx.verify({ ...request, body: new TextEncoder().encode('{"data":{} }') }, account, NOW)).toBe(
      false,
    );
    for (const secret of ['', 'AAAA', 'no base64'])
      expect(await telnyx.verify(request, { ...account, secret }, NOW)).toBe(false);
  });

  test('the public key is checked when the account is saved', () => {
    for (const secret of ['AAAA', 'no base64', `${account.secret}=`]) {
      const issues = telnyx.credentials.safeParse({ ...account, secret }).error?.issues;
      expect(issues?.[0]?.path).toEqual(['secret']);
    }
  });
});

describe('inbound', () => {
  const parse = (name: string, url?: string) => content(telnyx, fixture('telnyx', name), url);

  test('every fixture parses the same twice', () => {
    for (const [name, body] of fixtures('telnyx'))
      expect(content(telnyx, body, STATUS_URL), name).toEqual(content(telnyx, body, STATUS_URL));
  });

  test('an SMS is a message of that number, at the event’s time', () => {
    expect(parse('sms')).toMatchObject({
      inbound: [
        {
          peer: { type: 'tel', target: '+13125550001' },
          dialogId: '+13125550001',
          occurredAt: Date.parse('2026-11-21T10:00:00Z'),
          item: {
            kind: 'message',
            dedupeKey: 'telnyx:84cca175-9755-4859-b67f-4730d7f58aa3',
            text: 'Hello from Telnyx 안녕',
            medias: [],
            replyToken: null,
          },
        },
      ],
      receipts: [],
    });
  });

  test('an MMS’ files have public URLs; an empty message has a placeholder', () => {
    const medias = [
      media('image/jpeg', { url: 'https://media.telnyx.com/abc.jpg' }),
      media('application/octet-stream', { url: 'https://media.telnyx.com/def' }),
    ];
    expect(parse('mms').inbound[0]?.item).toMatchObject({ text: '', medias });
    expect(parse('empty').inbound[0]?.item).toMatchObject({ text: '[empty message]' });
  });

  test.each([
    ['queued', 'sending'],
    ['sending', 'sending'],
    ['sent', 'sent'],
    ['delivery-unconfirmed', 'sent'],
    ['delivered', 'delivered'],
  ])('status %s is %s', (name, status) => {
    const news = { status, providerId: '40385f64-5717-4562-b3fc-2c963f66afa6' };
    expect(parse(`report-${name}`, STATUS_URL)).toEqual({
      inbound: [],
      receipts: [{ conversationId: CONVERSATION, deliveryId: DELIVERY, news }],
    });
  });

  test.each([
    ['sending-failed', '40008', 'The recipient cannot be reached.'],
    ['delivery-failed', '40008', 'The recipient cannot be reached.'],
    ['expired', 'expired', 'Telnyx reports expired'],
  ])('status %s failed with code %s', (name, code, text) => {
    expect(parse(`report-${name}`, STATUS_URL).receipts).toMatchObject([
      { news: { status: 'failed', error: { code, text } } },
    ]);
  });

  test('other events, reports without our query and statuses from the future tell nothing', () => {
    const nothing = { inbound: [], receipts: [] };
    expect(parse('call-initiated', STATUS_URL)).toEqual(nothing);
    expect(parse('report-delivered')).toEqual(nothing);
    expect(parse('report-future', STATUS_URL)).toEqual(nothing);
  });

  test('a message without id or sender is an error', () => {
    for (const more of [{ id: '' }, { from: {} }, { from: null }]) {
      const body = JSON.stringify(telnyxReceived('+13125550001', '+17735550002', 'x', more));
      expect(telnyx.parse(hook(body), account, NOW).ok).toBe(false);
    }
  });

  test('the fake’s events are read like Telnyx’', () => {
    expect(content(telnyx, JSON.stringify(telnyxReceived('+13125550001', '+17735550002', 'yo'))).inbound).toMatchObject(
      [{ item: { text: 'yo' } }],
    );
    const report = JSON.stringify(telnyxReport('m1', '+13125550001', 'delivered'));
    expect(content(telnyx, report, STATUS_URL).receipts).toMatchObject([
      { news: { status: 'delivered', providerId: 'm1' } },
    ]);
  });
});

describe('outbound', () => {
  let fake: ProviderFake;
  beforeEach(async () => {
    fake = await startTelnyx({ apiKey: account.token });
  });
  afterEach(() => fake.close());

  const send = (parts: Parameters<typeof outbound>[0] = {}) => telnyx.send(outbound(parts), account, io(fake.url));

  test('sends an SMS with the callback of this delivery, and an MMS when there are files', async () => {
    expect(await send()).toEqual({ kind: 'accepted', providerId: fake.received[0]?.id });
    expect(fake.received[0]).toMatchObject({
      to: '+12065550123',
      text: 'hello',
      statusCallbackUrl: STATUS_URL,
      body: { type: 'SMS', use_profile_webhooks: false, tags: ['0c8f23cb-e878-49bf-b69e-03f59252f217'] },
    });
    await send({ text: '', medias: [media('image/png', { url: 'https://x.example/1.png' })] });
    expect(fake.received[1]).toMatchObject({ medias: ['https://x.example/1.png'], body: { type: 'MMS' } });
    expect(fake.received[1]?.body).not.toHaveProperty('text');
    expect(fake.violations).toEqual([]);
  });

  test.each([400, 401, 403, 404, 422])('%i rejects with Telnyx’ code', async (status) => {
    fake.failNext({
      kind: 'status',
      status,
      body: '{"errors":[{"code":"40302","title":"Message too large","detail":"11 parts"}]}',
    });
    expect(await send()).toEqual({ kind: 'rejected', code: '40302', text: '11 parts' });
  });

  test.each([429, 500, 503])('%i is tried again', async (status) => {
    fake.failNext({ kind: 'status', status, body: '{"errors":[{"code":"10011","title":"Too many requests"}]}' });
    expect(await send()).toEqual({ kind: 'retry', code: '10011', text: 'Too many requests', retryAfterMs: null });
  });

  test.each([
    ['hang', 'TIMEOUT'],
    ['accept-drop', 'CONNECTION_LOST'],
  ] as const)('%s is unknown', async (kind, code) => {
    fake.failNext({ kind });
    expect(await send()).toMatchObject({ kind: 'unknown', code });
  });

  test('fetches a file without credentials', async () => {
    const seen: unknown[] = [];
    const server = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.end('file');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const bound = server.address();
    const port = typeof bound === 'object' ? bound?.port : 0;
    const response = await telnyx.fetchMedia(
      media('image/png', { providerRef: `http://127.0.0.1:${port}/f` }),
      account,
      io(fake.url),
    );
    expect(await response.text()).toBe('file');
    expect(seen).toEqual([undefined]);
    server.close();
    expect((await telnyx.fetchMedia(media('sticker'), account, io(fake.url))).status).toBe(404);
  });
});
