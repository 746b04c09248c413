import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { whatsapp } from '../../../src/channels/whatsapp/index.ts';
import { media } from '../../../src/domain/content.ts';
import { metaRequest, startMeta, whatsAppBody, whatsAppStatus, whatsAppText, type MetaFake } from '../../fakes/meta.ts';
import { accountOf, changed, content, CONVERSATION, DELIVERY, hook, io, NOW, outbound, signedHook } from './support.ts';

const account = accountOf('whatsapp');
const PHONE_ID = '106540352242922';
const parse = (...values: Record<string, unknown>[]) =>
  content(whatsapp, JSON.stringify(whatsAppBody(PHONE_ID, ...values)));
const message = (parts: Record<string, unknown>) =>
  parse({ messages: [{ from: '16505551234', id: 'wamid.1', timestamp: '1749416383', ...parts }] }).inbound[0];

describe('the signature', () => {
  const request = signedHook(metaRequest(account.secret, whatsAppBody(PHONE_ID)));

  test('is over the raw bytes, with the app secret', async () => {
    expect(await whatsapp.verify(request, account, NOW)).toBe(true);
    expect(await whatsapp.verify(request, { ...account, secret: 'another' }, NOW)).toBe(false);
    expect(await whatsapp.verify({ ...request, body: hook('{}').body }, account, NOW)).toBe(false);
    for (const value of [null, '', 'sha256=', 'sha256=zz', 'sha1=00', 'x'.repeat(64)]) {
      expect(await whatsapp.verify(changed(request, 'x-hub-signature-256', value), account, NOW)).toBe(false);
    }
  });

  test('the challenge is answered to who knows the verify token', async () => {
    const ask = (query: string) =>
      whatsapp.challenge?.(hook('', {}, `https://parley.example/hooks/a1?${query}`), account);
    const token = 'hub.verify_token=whatsapp-verify-token';
    expect(await ask(`hub.mode=subscribe&${token}&hub.challenge=1158201444`)).toBe('1158201444');
    expect(await ask(`hub.mode=subscribe&hub.verify_token=wrong&hub.challenge=1`)).toBeNull();
    expect(await ask(`hub.mode=unsubscribe&${token}&hub.challenge=1`)).toBeNull();
    expect(await ask('')).toBeNull();
  });
});

const approved = { name: 'x', language: 'en_US', status: 'APPROVED', category: 'UTILITY' };

describe('what comes in', () => {
  test('a text, with who wrote it and when by Meta’s clock', () => {
    const { inbound } = parse(whatsAppText('16505551234', 'hello', 1_749_416_383_000, 'wamid.1'));
    expect(inbound).toEqual([
      {
        peer: { type: 'whatsapp', target: '+16505551234', targetName: 'Ada Lovelace', name: '', detail: '' },
        dialogId: '+16505551234',
        alias: 'US.16505551234',
        occurredAt: 1_749_416_383_000,
        item: {
          kind: 'message',
          dedupeKey: 'whatsapp:wamid.1',
          text: 'hello',
          medias: [],
          senderId: '+16505551234',
          senderName: 'Ada Lovelace',
          replyToken: null,
        },
      },
    ]);
  });

  test('a contact without a telephone number is its business-scoped user id', () => {
    const value = {
      contacts: [{ profile: { name: 'Ada', username: 'ada' }, user_id: 'US.13491208655302741918' }],
      messages: [
        {
          from_user_id: 'US.13491208655302741918',
          id: 'wamid.2',
          timestamp: '1749416383',
          type: 'text',
          text: { body: 'hi' },
        },
      ],
    };
    expect(parse(value).inbound[0]?.peer).toMatchObject({ target: 'US.13491208655302741918', targetName: 'Ada' });
  });

  test.each([
    ['image', { type: 'image', image: { id: '77', mime_type: 'image/jpeg', caption: 'look' } }, 'look', 'image/jpeg'],
    ['voice', { type: 'audio', audio: { id: '77', mime_type: 'audio/ogg; codecs=opus' } }, '', 'audio/ogg'],
    [
      'document',
      { type: 'document', document: { id: '77', mime_type: 'application/pdf', filename: 'a.pdf' } },
      '',
      'application/pdf',
    ],
    ['sticker', { type: 'sticker', sticker: { id: '77', mime_type: 'image/webp' } }, '', 'image/webp'],
    ['location', { type: 'location', location: { latitude: 52.5, longitude: 13.4, name: 'Here' } }, '', 'location'],
    ['reaction', { type: 'reaction', reaction: { message_id: 'wamid.0', emoji: '👍' } }, '', 'reaction'],
    ['contacts', { type: 'contacts', contacts: [{ name: { formatted_name: 'Bob' } }] }, '', 'contacts'],
    ['button', { type: 'button', button: { text: 'Yes', payload: 'yes' } }, 'Yes', 'postback'],
    [
      'list',
      { type: 'interactive', interactive: { type: 'list_reply', list_reply: { id: '1', title: 'One' } } },
      'One',
      'postback',
    ],
    ['order', { type: 'order', order: { catalog_id: '9', text: 'please', product_items: [] } }, 'please', 'order'],
    [
      'form',
      { type: 'interactive', interactive: { nfm_reply: { body: 'Sent', response_json: '{}' } } },
      'Sent',
      'form',
    ],
    ['changed number', { type: 'system', system: { type: 'user_changed_number', body: 'New' } }, 'New', 'system'],
    ['something new', { type: 'hologram' }, '[unsupported: hologram]', 'unsupported'],
  ])('%s', (_, parts, text, type) => {
    expect(message(parts)?.item).toMatchObject({ kind: 'message', text, medias: [{ type }] });
  });

  test('what the provider says is no word of the contact, and a reaction asks for no answer', () => {
    const system = { type: 'system', system: { type: 'user_changed_number', body: 'A changed', wa_id: '1650' } };
    expect(message(system)?.item).toMatchObject({ isNotice: true, isAnswerable: false });
    const reaction = message({ type: 'reaction', reaction: { message_id: 'wamid.0', emoji: '👍' } })?.item;
    expect(reaction).toMatchObject({ isAnswerable: false });
    expect(reaction).not.toHaveProperty('isNotice');
    expect(message({ type: 'text', text: { body: 'x' } })?.item).not.toHaveProperty('isAnswerable');
  });

  test('a contact is found by whatever ids the request shows of it', () => {
    const text = { id: 'wamid.9', timestamp: '1749416383', type: 'text', text: { body: 'hi' } };
    const peers = (contact: Record<string, string>, ids: Record<string, string>) => {
      const [inbound] = parse({ contacts: [{ profile: {}, ...contact }], messages: [{ ...text, ...ids }] }).inbound;
      return [inbound?.peer.target, inbound?.alias];
    };
    expect(peers({ user_id: 'US.1', wa_id: '16505551234' }, { from: '16505551234' })).toEqual(['+16505551234', 'US.1']);
    expect(peers({ user_id: 'US.1' }, {})).toEqual(['US.1', '']);
    expect(peers({ wa_id: 'US.1' }, { from: 'US.1' })).toEqual(['US.1', '']);
    expect(peers({ wa_id: '16505551234' }, { from: '16505551234' })).toEqual(['+16505551234', '']);
  });

  test('a group is one conversation, in which nobody speaks for the others', () => {
    const text = { id: 'wamid.9', timestamp: '1', type: 'text', text: { body: 'STOP' } };
    const said = { ...text, from: '16505551234', group_id: 'Y2FwaV9ncm91cDoxNz' };
    const [inbound] = parse({ messages: [said] }).inbound;
    expect(inbound).toMatchObject({ peer: { target: 'Y2FwaV9ncm91cDoxNz' }, item: { senderId: '16505551234' } });
    expect(inbound).not.toHaveProperty('alias');
  });

  test('which message it answers stands beside it, and a contact’s card with its numbers', () => {
    const card = { name: { formatted_name: 'Bob' }, phones: [{ phone: '+1650' }], emails: [{ email: 'b@x.example' }] };
    expect(message({ type: 'contacts', contacts: [card], context: { id: 'wamid.0' } })?.item).toMatchObject({
      medias: [
        { type: 'contacts', details: { names: 'Bob', phones: '+1650', emails: 'b@x.example' } },
        { type: 'reply', details: { message_id: 'wamid.0' } },
      ],
    });
  });

  test('a file names what opens it, and never a URL of the provider', () => {
    const item = message({ type: 'image', image: { id: '77', mime_type: 'image/png' } })?.item;
    expect(item).toMatchObject({ medias: [{ providerRef: '77', url: '' }] });
  });

  test('what the business wrote in its own app is an echo', () => {
    const echo = {
      from: '15550783881',
      to: '16505551234',
      id: 'wamid.3',
      timestamp: '1749416383',
      type: 'text',
      text: { body: 'on it' },
    };
    const [inbound] = parse({ field: 'smb_message_echoes', message_echoes: [echo] }).inbound;
    expect(inbound).toMatchObject({
      peer: { target: '+16505551234' },
      item: { kind: 'echo', text: 'on it', providerId: 'wamid.3', dedupeKey: 'whatsapp:wamid.3' },
    });
  });

  test('of several parts the malformed ones cost the others nothing', () => {
    const body = whatsAppBody(
      PHONE_ID,
      whatsAppText('16505551234', 'one'),
      { messages: 'nonsense' },
      whatsAppText('16505551234', 'two'),
    );
    const entries = [{ changes: [null, 7, { field: 'messages' }] }, null, ...(body['entry'] as unknown[])];
    const { inbound } = content(whatsapp, JSON.stringify({ ...body, entry: entries }));
    expect(inbound.map(({ item }) => 'text' in item && item.text)).toEqual(['one', 'two']);
  });

  test('of another number is another account’s', () => {
    const body = whatsAppBody('999999999', whatsAppText('16505551234', 'hello'));
    expect(content(whatsapp, JSON.stringify(body))).toEqual({ inbound: [], receipts: [] });
  });
});

describe('statuses', () => {
  const sent = { id: 'wamid.9', to: '+16505551234', key: `${CONVERSATION}.${DELIVERY}` };
  const receipt = (status: string, errors: Record<string, unknown>[] = []) =>
    parse(
      whatsAppStatus(
        { ...outbound(), ...sent, method: 'text', from: '', medias: [], statusCallbackUrl: '', body: {} },
        status,
        errors,
      ),
    ).receipts;

  test.each([
    ['sent', 'sent'],
    ['delivered', 'delivered'],
    ['read', 'read'],
    ['played', 'read'],
  ])('%s means %s', (status, expected) => {
    expect(receipt(status)).toEqual([
      { conversationId: CONVERSATION, deliveryId: DELIVERY, news: { status: expected, providerId: 'wamid.9' } },
    ]);
  });

  test('failed has Meta’s code and details; an unknown one, and one that is not ours, is nothing', () => {
    const error = {
      code: 131047,
      title: 'Re-engagement message',
      error_data: { details: 'More than 24 hours have passed' },
    };
    expect(receipt('failed', [error])).toMatchObject([
      { news: { status: 'failed', error: { code: '131047', text: 'More than 24 hours have passed' } } },
    ]);
    expect(receipt('warped')).toEqual([]);
    expect(parse({ statuses: [{ id: 'wamid.9', status: 'read' }] }).receipts).toEqual([]);
  });
});

describe('what goes out', () => {
  let fake: MetaFake;

  beforeEach(async () => {
    fake = await startMeta({ token: account.token, phoneNumberId: PHONE_ID, wabaId: '102290129340398' });
  });

  afterEach(async () => {
    expect(fake.violations).toEqual([]);
    await fake.close();
  });

  const send = (parts: Partial<ReturnType<typeof outbound>>) =>
    whatsapp.send(outbound({ to: '+16505551234', ...parts }), account, io(fake.url));

  test('is a text, a file with its caption, or a template; to a number or a user id', async () => {
    await send({ text: 'hello' });
    await send({ text: 'look', medias: [media('image/jpeg', { url: 'https://x.example/1.jpg' })] });
    await send({ text: '', medias: [media('application/pdf', { url: 'https://x.example/1.pdf', filename: 'a.pdf' })] });
    await send({
      template: { name: 'order_update', language: 'en_US', parameters: ['Ada', '5678'] },
      text: 'rendered',
    });
    await send({ to: 'US.13491208655302741918', text: 'hello' });
    expect(fake.received.map(({ body }) => body)).toMatchObject([
      {
        to: '+16505551234',
        type: 'text',
        text: { body: 'hello' },
        biz_opaque_callback_data: `${CONVERSATION}.${DELIVERY}`,
      },
      { type: 'image', image: { link: 'https://x.example/1.jpg', caption: 'look' } },
      { type: 'document', document: { link: 'https://x.example/1.pdf', filename: 'a.pdf' } },
      {
        type: 'template',
        template: {
          name: 'order_update',
          language: { code: 'en_US' },
          components: [
            {
              type: 'body',
              parameters: [
                { type: 'text', text: 'Ada' },
                { type: 'text', text: '5678' },
              ],
            },
          ],
        },
      },
      { recipient: 'US.13491208655302741918' },
    ]);
    expect(await send({ text: 'again' })).toMatchObject({ kind: 'accepted', providerId: fake.received.at(-1)?.id });
  });

  test('is refused beforehand where WhatsApp would refuse it afterwards', () => {
    const refuses = (text: string, type: string) => whatsapp.refuses?.(text, [{ type }])?.field ?? null;
    expect([refuses('', 'image/tiff'), refuses('', 'video/quicktime'), refuses('', 'audio/wav')]).toEqual(
      Array(3).fill('medias.0.type'),
    );
    expect([refuses('a', 'audio/ogg'), refuses('a', 'image/webp')]).toEqual(['text', 'text']);
    expect([refuses('', 'audio/ogg'), refuses('a', 'image/png'), refuses('a', 'application/pdf')]).toEqual([
      null,
      null,
      null,
    ]);
    expect(whatsapp.refuses?.('a', [])).toBeNull();
    expect(refuses('a'.repeat(1025), 'image/png')).toBe('text');
    expect([
      refuses('', 'application/x-msdownload'),
      refuses('', 'IMAGE/JPEG'),
      refuses('', 'audio/ogg; codecs=opus'),
    ]).toEqual(['medias.0.type', null, null]);
    expect([whatsapp.maxFileBytes?.('image/png'), whatsapp.maxFileBytes?.('video/mp4')]).toEqual([5 << 20, 16 << 20]);
  });

  test.each([
    [400, 4, 'retry'],
    [400, 131056, 'retry'],
    [400, 130429, 'retry'],
    [400, 131016, 'retry'],
    [400, 133004, 'retry'],
    [400, 613, 'retry'],
    [403, 32, 'retry'],
    [400, 80007, 'retry'],
    [400, 80006, 'retry'],
    [400, 1, 'unknown'],
    [400, 2, 'unknown'],
    [400, 131000, 'unknown'],
    [500, 131000, 'unknown'],
    [503, 99, 'unknown'],
    [400, 131047, 'rejected'],
    [401, 190, 'rejected'],
  ])('%d with code %d is %s', async (status, code, kind) => {
    const body = JSON.stringify({ error: { message: 'why', code, error_data: { details: 'exactly why' } } });
    fake.failNext({ kind: 'status', status, body });
    expect(await send({ text: 'hello' })).toMatchObject({ kind, code: String(code), text: 'exactly why' });
  });

  test('templates are those that are approved, with how many parameters they take', async () => {
    const body = (text: string) => [
      { type: 'HEADER', format: 'TEXT', text: 'Hi' },
      { type: 'BODY', text },
    ];
    fake.templates.push(
      {
        name: 'order_update',
        language: 'en_US',
        status: 'APPROVED',
        category: 'UTILITY',
        components: body('Hello {{1}}, order {{2}}.'),
      },
      { name: 'hello_world', language: 'en_US', status: 'APPROVED', category: 'UTILITY', components: body('Hello') },
      { name: 'not_yet', language: 'en_US', status: 'PENDING', category: 'MARKETING', components: body('Buy') },
    );
    const listed = await whatsapp.listTemplates?.(account, io(fake.url));
    expect(listed).toMatchObject({
      ok: true,
      value: [
        { name: 'order_update', parameters: 2, needs: null },
        { name: 'hello_world', parameters: 0, needs: null },
      ],
    });
    const component = (...components: Record<string, unknown>[]) => [...components, { type: 'BODY', text: 'x' }];
    const needy: [unknown[], string][] = [
      [component({ type: 'HEADER', format: 'IMAGE' }), 'a header of image'],
      [component({ type: 'HEADER', format: 'TEXT', text: '{{1}}' }), 'a parameter in its header'],
      [component({ type: 'BUTTONS', buttons: [{ type: 'URL', url: 'https://x/{{1}}' }] }), 'a button’s parameter'],
      [[{ type: 'BODY', text: 'Hello {{first_name}}' }], 'named parameters'],
    ];
    const many = Array.from({ length: 250 }, (_, index) => ({
      components: component({ type: 'FOOTER', text: 'y'.repeat(900 + index) }),
    }));
    fake.templates.splice(0, fake.templates.length, { name: 7 });
    for (const [components] of needy) fake.templates.push({ ...approved, components });
    for (const each of many) fake.templates.push({ ...approved, ...each });
    const all = await whatsapp.listTemplates?.(account, io(fake.url));
    const values = all?.ok ? all.value : [];
    expect(values.slice(0, 4).map(({ needs }) => needs)).toEqual(needy.map(([, why]) => why));
    expect(values).toHaveLength(254);
    const bare = { ...account, providerData: { ...account.providerData, waba_id: '' } };
    expect(await whatsapp.listTemplates?.(bare, io(fake.url))).toEqual({ ok: false, error: 'NO_WABA_ID' });
  });

  test('a file is asked for by its id, and fetched with the token from Meta alone', async () => {
    const id = fake.putMedia('image/png', new Uint8Array([1, 2, 3]));
    const file = await whatsapp.fetchMedia(media('image/png', { providerRef: id }), account, io(fake.url));
    expect([file.status, file.headers.get('content-type')]).toEqual([200, 'image/png']);
    const elsewhere = () => Promise.resolve(Response.json({ url: 'https://evil.example/file' }));
    const refused = await whatsapp.fetchMedia(media('image/png', { providerRef: '1' }), account, {
      ...io(fake.url),
      fetch: elsewhere,
    });
    expect(refused.status).toBe(404);
  });
});
