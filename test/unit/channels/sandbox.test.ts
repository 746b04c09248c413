import { describe, expect, test } from 'vitest';
import { sandbox } from '../../../src/channels/sms/sandbox/index.ts';
import { media } from '../../../src/domain/content.ts';
import { accountOf, content, CONVERSATION, DELIVERY, hook, io, NOW, outbound } from './support.ts';

const account = accountOf('sms/sandbox');

/** What one request carried, and what it became when the sandbox answered so. */
async function send(answer: () => Response, parts: Parameters<typeof outbound>[0] = {}) {
  const bodies: unknown[] = [];
  const fetch = (url: string, init?: RequestInit) => {
    expect(url).toBe('https://sandbox.example/messages');
    bodies.push(JSON.parse(typeof init?.body === 'string' ? init.body : 'null'));
    return Promise.resolve(answer());
  };
  const outcome = await sandbox.send(outbound(parts), account, { ...io('https://sandbox.example'), fetch });
  return { outcome, bodies };
}

describe('inbound', () => {
  test('takes what the API builds; the hook itself is closed', async () => {
    const body = JSON.stringify({
      id: 'i1',
      from: '+1 555 987 6543',
      text: 'hi',
      medias: [{ type: 'image/png', url: 'https://x.example/1.png', filename: 'f' }],
    });
    expect(content(sandbox, body)).toMatchObject({
      inbound: [
        {
          peer: { type: 'tel', target: '+15559876543' },
          dialogId: '+15559876543',
          occurredAt: NOW,
          item: {
            kind: 'message',
            dedupeKey: 'sandbox:i1',
            text: 'hi',
            medias: [media('image/png', { url: 'https://x.example/1.png' })],
          },
        },
      ],
      receipts: [],
    });
    expect(await sandbox.verify(hook(body), account, NOW)).toBe(false);
  });

  test('an empty message has a placeholder, one with a file needs none', () => {
    expect(content(sandbox, '{"id":"1","from":"+15559876543"}').inbound[0]?.item).toMatchObject({
      text: '[empty message]',
    });
    const withFile = '{"id":"1","from":"+15559876543","medias":[{"type":"image/png","url":"https://x.example/1"}]}';
    expect(content(sandbox, withFile).inbound[0]?.item).toMatchObject({ text: '' });
  });
});

describe('outbound', () => {
  test('carries the delivery id as idempotency key', async () => {
    const medias = [media('image/png', { url: 'https://x.example/1.png' })];
    const { outcome, bodies } = await send(() => Response.json({ id: 's1' }), { medias });
    expect(outcome).toEqual({ kind: 'accepted', providerId: 's1' });
    expect(bodies).toEqual([
      {
        account_id: account.id,
        idempotency_key: DELIVERY,
        conversation_id: CONVERSATION,
        message_id: '0c8f23cb-e878-49bf-b69e-03f59252f217',
        from: '+18005550100',
        to: '+12065550123',
        text: 'hello',
        medias: [{ type: 'image/png', url: 'https://x.example/1.png' }],
      },
    ]);
  });

  test.each([
    [400, 'rejected'],
    [429, 'retry'],
    [503, 'retry'],
  ])('%i is %s with the sandbox’s code', async (status, kind) => {
    const { outcome } = await send(() => Response.json({ code: 'SANDBOX_FAULT', message: 'on request' }, { status }));
    expect(outcome).toMatchObject({ kind, code: 'SANDBOX_FAULT', text: 'on request' });
  });
});
