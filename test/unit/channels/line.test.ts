import { validateSignature } from '@line/bot-sdk';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { line } from '../../../src/channels/line/index.ts';
import { render } from '../../../src/channels/line/outbound.ts';
import { address } from '../../../src/domain/addresses.ts';
import { media } from '../../../src/domain/content.ts';
import { lineBody, lineRequest, lineText, startLine, type LineFake } from '../../fakes/providers.ts';
import {
  accountOf,
  changed,
  content,
  DELIVERY,
  fixture,
  fixtures,
  hook,
  io,
  NOW,
  outbound,
  signedHook,
} from './support.ts';

const account = accountOf('line');
const USER = 'Ud871bcaf7c3ad13d2a0b0d78a42a287f';
const GROUP = 'C4af4980629a1b2c3d4e5f60718293a4b';
const SIGNATURE = 'x-line-signature';

const only = (name: string) => {
  const { inbound, receipts } = content(line, fixture('line', name));
  expect(receipts).toEqual([]);
  expect(inbound).toHaveLength(1);
  const [first] = inbound;
  if (!first) throw new Error('nothing came in');
  return first;
};

const said = (name: string) => {
  const { item } = only(name);
  if (item.kind !== 'message') throw new Error(`${name} is a ${item.kind}`);
  return item;
};

describe('signature', () => {
  test('agrees with @line/bot-sdk over any body and secret', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), fc.string({ minLength: 1 }), async (body, secret) => {
        const request = lineRequest(secret, body);
        const signature = request.headers[SIGNATURE] ?? '';
        expect(validateSignature(body, secret, signature)).toBe(true);
        expect(await line.verify(signedHook(request), { ...account, secret }, NOW)).toBe(true);
      }),
    );
  });

  test('takes the raw bytes, whatever they are', async () => {
    const bytes = new Uint8Array([0xff, 0xfe, 0x00, 0xc3, 0x28]);
    const { createHmac } = await import('node:crypto');
    const signature = createHmac('sha256', account.secret).update(bytes).digest('base64');
    expect(await line.verify(hook(bytes, { [SIGNATURE]: signature }), account, NOW)).toBe(true);
  });

  test('refuses every forged, foreign, missing, truncated or re-spelled signature', async () => {
    const request = signedHook(lineRequest(account.secret, lineBody(lineText(USER, 'hi'))));
    const signature = request.headers.get(SIGNATURE) ?? '';
    const foreign = lineRequest('another secret', lineBody()).headers[SIGNATURE] ?? '';
    const forgeries = [
      null,
      '',
      foreign,
      signature.slice(0, -1),
      signature.slice(0, 20),
      `${signature}=`,
      `${signature}AAAA`,
      'not base64 !',
    ];
    for (const forged of forgeries)
      expect(await line.verify(changed(request, SIGNATURE, forged), account, NOW)).toBe(false);
    for (let at = 0; at < signature.length; at++) {
      const other = signature[at] === 'A' ? 'B' : 'A';
      const forged = signature.slice(0, at) + other + signature.slice(at + 1);
      expect(await line.verify(changed(request, SIGNATURE, forged), account, NOW)).toBe(false);
    }
    expect(await line.verify({ ...request, body: new TextEncoder().encode('{"events":[]} ') }, account, NOW)).toBe(
      false,
    );
    expect(await line.verify(request, { ...account, secret: '' }, NOW)).toBe(false);
  });
});

describe('inbound', () => {
  test('every fixture parses, and gives the same dedupe keys the second time', () => {
    for (const [name, body] of fixtures('line')) {
      const keys = () => content(line, body).inbound.map(({ item }) => item.dedupeKey);
      expect(keys(), name).toEqual(keys());
      expect(new Set(keys()).size, name).toBe(keys().length);
    }
  });

  test('the connection test has no events and is accepted', () => {
    expect(content(line, fixture('line', 'empty'))).toEqual({ inbound: [], receipts: [] });
  });

  test('a text message is a message of that user', () => {
    expect(only('text')).toMatchObject({
      peer: address('line', USER),
      dialogId: USER,
      item: { kind: 'message', text: '안녕 👋', medias: [], senderId: USER, senderName: '' },
    });
    const { occurredAt, item } = only('text');
    expect(item.dedupeKey).toMatch(/^line:m:\d+$/);
    expect(item).toMatchObject({
      replyToken: { token: expect.stringMatching(/^nHuy/), expiresAt: occurredAt + 50_000 },
    });
  });

  test('groups and rooms are dialogs of their own, with the member as sender', () => {
    expect(only('text-group')).toMatchObject({
      dialogId: GROUP,
      peer: { target: GROUP },
      item: { senderId: USER },
    });
    expect(only('text-group-anonymous')).toMatchObject({ dialogId: GROUP, item: { senderId: '' } });
    expect(only('text-room').dialogId).toMatch(/^R/);
  });

  test.each([
    ['image', 'image/jpeg', ''],
    ['video', 'video/mp4', ''],
    ['audio', 'audio/mp4', ''],
    ['file', 'application/octet-stream', 'invoice.pdf'],
  ])('%s is a file behind the message id', (name, type, filename) => {
    const item = said(name);
    const providerRef = item.dedupeKey.slice('line:m:'.length);
    expect(item.text).toBe('');
    expect(item.medias).toEqual([media(type, { filename, providerRef })]);
  });

  test('an external file has its URL, and nothing to fetch from LINE', () => {
    expect(said('image-external').medias).toEqual([media('image/jpeg', { url: 'https://example.com/original.jpg' })]);
    const evil = fixture('line', 'image-external').replace('https://example.com/original.jpg', 'javascript:alert(1)');
    expect(content(line, evil).inbound[0]?.item).toMatchObject({ medias: [{ url: '' }] });
  });

  test('a location and a sticker keep what they are', () => {
    const details = {
      title: 'my location',
      address: '1-3 Kioicho, Chiyoda-ku, Tokyo',
      latitude: '35.67966',
      longitude: '139.73669',
    };
    expect(said('location').medias).toEqual([media('location', { details })]);
    expect(said('sticker').medias).toEqual([media('sticker', { details: { package_id: '446', sticker_id: '1988' } })]);
  });

  test.each([
    ['message-unknown', '[unsupported: hologram]', 'hologram'],
    ['message-malformed', '[unsupported: location]', 'location'],
    ['beacon', '[line event: beacon]', 'beacon'],
    ['account-link', '[line event: accountLink]', 'accountLink'],
    ['membership', '[line event: membership]', 'membership'],
    ['event-unknown', '[line event: teleported]', 'teleported'],
  ])('%s is kept as a typed placeholder', (name, text, kind) => {
    expect(said(name)).toMatchObject({ text, medias: [media('unsupported', { details: { kind } })] });
  });

  test.each([
    'member-joined',
    'member-left',
    'video-play-complete',
    'delivery',
    'activated',
    'bot-suspended',
    'module',
    'event-without-source',
  ])('%s is nothing that a contact said', (name) => expect(content(line, fixture('line', name)).inbound).toEqual([]));

  test('a postback is what it says', () => {
    const details = { data: 'action=book&item=7', datetime: '2017-12-25T01:00' };
    expect(said('postback')).toMatchObject({ text: 'action=book&item=7', medias: [media('postback', { details })] });
    expect(said('postback').dedupeKey).toMatch(/^line:e:/);
  });

  test('an unsend names the message by its dedupe key', () => {
    expect(only('unsend').item).toMatchObject({
      kind: 'redaction',
      targetKey: 'line:m:325708',
      dedupeKey: expect.stringMatching(/^line:e:/),
    });
  });

  test('follow and join can be answered, unfollow and leave cannot', () => {
    for (const name of ['follow', 'join']) {
      expect(only(name).item).toMatchObject({
        kind: 'reachability',
        reachable: true,
        replyToken: { token: expect.any(String) },
      });
    }
    for (const name of ['unfollow', 'leave']) {
      expect(only(name).item).toMatchObject({ kind: 'reachability', reachable: false, replyToken: null });
    }
  });

  test('standby events are stored; a redelivered one has the same key and no reply token', () => {
    expect(said('standby').text).toBe('while another module answers');
    expect(said('redelivery').replyToken).toBeNull();
    const first = fixture('line', 'redelivery').replace('"isRedelivery": true', '"isRedelivery": false');
    expect(content(line, first).inbound[0]?.item.dedupeKey).toBe(said('redelivery').dedupeKey);
  });

  test('events are taken by their time, and a malformed one does not lose the others', () => {
    const texts = content(line, fixture('line', 'several-unordered')).inbound.map(
      ({ item }) => item.kind === 'message' && item.text,
    );
    expect(texts).toEqual(['first', 'second', 'third']);
  });

  test('malformed fields of an event lose nothing but themselves', () => {
    const broken = {
      type: 'message',
      source: { type: 'user', userId: USER },
      timestamp: 'soon',
      deliveryContext: 7,
      message: { type: 'text', id: '9', text: 'still here' },
    };
    expect(content(line, JSON.stringify({ events: [broken] })).inbound).toMatchObject([
      { occurredAt: NOW, item: { text: 'still here', dedupeKey: 'line:m:9' } },
    ]);
  });

  test('a body without a list of events is an error', () => {
    for (const body of ['', 'events', '[]', '{}', '{"events":{}}'])
      expect(line.parse(hook(body), account, NOW).ok, body).toBe(false);
  });
});

describe('outbound', () => {
  let fake: LineFake;
  beforeEach(async () => {
    fake = await startLine({ channelAccessToken: account.token });
  });
  afterEach(() => fake.close());

  const send = (parts: Parameters<typeof outbound>[0] = {}) =>
    line.send(outbound({ to: USER, ...parts }), account, io(fake.url));

  test('renders the text first, then each media by its kind', () => {
    const url = 'https://x.example/f';
    const medias = ['image/png', 'video/mp4', 'audio/mpeg', 'application/pdf'].map((type) => media(type, { url }));
    expect(render({ text: 'hi', medias })).toEqual([
      { type: 'text', text: 'hi' },
      { type: 'image', originalContentUrl: url, previewImageUrl: url },
      { type: 'video', originalContentUrl: url, previewImageUrl: url },
      { type: 'audio', originalContentUrl: url, duration: 60_000 },
      { type: 'text', text: url },
    ]);
    expect(render({ text: '', medias: [] })).toEqual([]);
  });

  test('pushes with the delivery id as retry key; a repeat is recognised and accepted', async () => {
    const first = await send();
    expect(first).toEqual({ kind: 'accepted', providerId: fake.received[0]?.id });
    expect(await send()).toEqual(first);
    expect(fake.received).toMatchObject([{ method: 'push', to: USER, text: 'hello', key: DELIVERY }]);
    expect(fake.violations).toEqual([]);
  });

  test('a push whose answer was lost is sent once in the end', async () => {
    fake.failNext({ kind: 'accept-drop' });
    fake.failNext({ kind: 'accept-hang' });
    expect(await send()).toMatchObject({ kind: 'unknown', code: 'CONNECTION_LOST' });
    expect(await send()).toMatchObject({ kind: 'unknown', code: 'TIMEOUT' });
    expect(await send()).toEqual({ kind: 'accepted', providerId: fake.received[0]?.id });
    expect(fake.received).toHaveLength(1);
  });

  test('answers with the reply token, without a retry key', async () => {
    expect(await send({ replyToken: 'fresh' })).toMatchObject({ kind: 'accepted' });
    expect(fake.received).toMatchObject([{ method: 'reply', key: 'fresh', text: 'hello' }]);
    expect(fake.violations).toEqual([]);
  });

  test('leaves the push to the next attempt when the reply token is spent or too old: one attempt is one request', async () => {
    fake.expireReplyToken('old');
    expect(await send({ replyToken: 'old' })).toMatchObject({ kind: 'retry', code: 'REPLY_TOKEN_SPENT' });
    expect(await send({ replyToken: null })).toMatchObject({ kind: 'accepted' });
    expect(fake.received).toMatchObject([{ method: 'push', to: USER }]);
    expect(fake.violations).toEqual([]);
  });

  test('does not push after a reply that was refused for another reason', async () => {
    fake.failNext({
      kind: 'status',
      status: 400,
      body: '{"message":"The request body has 1 error(s)","details":[{"message":"May not be empty","property":"messages[0].text"}]}',
    });
    const text = 'The request body has 1 error(s); messages[0].text: May not be empty';
    expect(await send({ replyToken: 'fresh' })).toEqual({ kind: 'rejected', code: 'HTTP_400', text });
    expect(fake.attempts()).toBe(1);
  });

  test('a 5xx to a reply may hide an acceptance, because a reply has no retry key', async () => {
    fake.failNext({ kind: 'status', status: 500 });
    expect(await send({ replyToken: 'fresh' })).toMatchObject({ kind: 'unknown', code: 'HTTP_500' });
    fake.failNext({ kind: 'status', status: 429 });
    expect(await send({ replyToken: 'fresh' })).toMatchObject({ kind: 'retry', code: 'HTTP_429' });
  });

  test.each([400, 401, 403, 404])('%i rejects', async (status) => {
    fake.failNext({ kind: 'status', status, body: '{"message":"no"}' });
    expect(await send()).toEqual({ kind: 'rejected', code: `HTTP_${status}`, text: 'no' });
  });

  test.each([429, 500, 503])('%i is tried again', async (status) => {
    fake.failNext({ kind: 'status', status, headers: { 'retry-after': '7' }, body: '<html>' });
    expect(await send()).toEqual({
      kind: 'retry',
      code: `HTTP_${status}`,
      text: `the provider answered ${status}`,
      retryAfterMs: 7000,
    });
  });

  test('no answer in time is unknown', async () => {
    fake.failNext({ kind: 'hang' });
    expect(await send()).toMatchObject({ kind: 'unknown', code: 'TIMEOUT' });
  });

  test('a wrong token is rejected, and does not show', async () => {
    const outcome = await line.send(outbound({ to: USER }), { ...account, token: 'wrong-token' }, io(fake.url));
    expect(outcome).toMatchObject({ kind: 'rejected', code: 'HTTP_401' });
    expect(JSON.stringify(outcome)).not.toContain('wrong-token');
  });

  test('fetches a file with the account’s token', async () => {
    fake.putContent('16332', 'image/jpeg', new Uint8Array([1, 2, 3]));
    const response = await line.fetchMedia(media('image/jpeg', { providerRef: '16332' }), account, io(fake.url));
    expect(response.headers.get('content-type')).toBe('image/jpeg');
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(new Uint8Array([1, 2, 3]));
    const missing = await line.fetchMedia(media('image/jpeg', { providerRef: '../message/1' }), account, io(fake.url));
    expect(missing.status).toBe(404);
  });
});
