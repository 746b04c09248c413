import fc from 'fast-check';
import { expect, test } from 'vitest';
import { channels } from '../../../src/channels/registry.ts';
import { accountOf, hook, NOW } from './support.ts';

/** What stands inside a webhook whose envelope is right may be anything: next year's kinds, and nonsense. */
const anything = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom('text', 'image', 'system', 'US.1', '16505551234', 'x'),
);
const part = fc.oneof(
  anything,
  fc.dictionary(fc.constantFrom('id', 'body', 'text', 'type', 'url', 'payload', 'code'), anything),
);

const EVENT_KEYS =
  'id from from_user_id to timestamp type text image location reaction contacts system order context group_id interactive' +
  ' button status errors biz_opaque_callback_data sender recipient message postback delivery read referral optin webhookEventId source mode replyToken unsend deliveryContext';
const strange = fc.dictionary(fc.constantFrom(...EVENT_KEYS.split(' ')), part);

/** One of each that is right, for the strange to stand in. */
const RIGHT = {
  id: 'wamid.1',
  from: '16505551234',
  timestamp: '1749416383',
  sender: { id: '7301' },
  recipient: { id: '104325681234567' },
};
const message = fc.dictionary(fc.constantFrom('text', 'attachments', 'quick_reply', 'is_echo', 'metadata'), part);
const event = fc.oneof(
  anything,
  strange,
  strange.map((parts) => ({ ...RIGHT, ...parts })),
  message.map((parts) => ({ ...RIGHT, message: { mid: 'm_1', ...parts } })),
);

const ENVELOPES: Record<string, (events: unknown[]) => unknown> = {
  whatsapp: (events) => {
    const metadata = { phone_number_id: '106540352242922' };
    const value = { metadata, messages: events, statuses: events, contacts: events, message_echoes: events };
    return { object: 'whatsapp_business_account', entry: [{ changes: [{ field: 'messages', value }] }] };
  },
  messenger: (events) => ({ object: 'page', entry: [{ id: '104325681234567', messaging: events, standby: events }] }),
  line: (events) => ({ destination: `U${'0'.repeat(32)}`, events }),
};

test.each(Object.keys(ENVELOPES))(
  '%s takes whatever stands inside its envelope, and makes no empty message of it',
  (id) => {
    const channel = channels.find((each) => each.id === id);
    const account = accountOf(id);
    let read = 0;
    fc.assert(
      fc.property(fc.array(event, { maxLength: 4 }), (events) => {
        const parsed = channel?.parse(hook(JSON.stringify(ENVELOPES[id]?.(events))), account, NOW);
        expect(parsed?.ok).toBe(true);
        for (const { item, peer } of parsed?.ok ? parsed.value.inbound : []) {
          read += 1;
          expect(peer.target).not.toBe('');
          if (item.kind === 'message') expect(item.text !== '' || item.medias.length > 0).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
    if (id !== 'line') expect(read).toBeGreaterThan(10);
  },
);
