import { exports } from 'cloudflare:workers';
import { beforeAll, expect, test } from 'vitest';
import { eventually, inbound, newHub, newSandbox, ok, ORIGIN, type Hub, type Json } from '../support/hub.ts';
import { hmacSha256, toBase64, utf8 } from '../../src/security/encoding.ts';

/** Seed 002's channel selection, with SMS (the sandbox) and LINE. */
const SECRET = 'line-channel-secret';

let hub: Hub;
let sms: Json;
let line: Json;

beforeAll(async () => {
  hub = await newHub();
  sms = await newSandbox(hub);
  line = await ok(
    hub.call('POST', '/v1.0/conversation_accounts', { type: 'line', secret: SECRET, token: 'line-channel-token' }),
  );
});

let people = 0;

function newPerson(): { phone: string; user: string } {
  people += 1;
  return { phone: `+1555710${String(people).padStart(4, '0')}`, user: `U${String(people).padStart(32, '0')}` };
}

const addresses = ({ phone, user }: { phone: string; user: string }) => [
  { type: 'tel', target: phone },
  { type: 'line', target: user },
];

const open = (person: { phone: string; user: string }, more: Json = {}): Promise<Json> =>
  ok(hub.call('POST', '/v1.0/conversations', { participants: [{ addresses: addresses(person), ...more }] }));
const send = (id: string, body: Json, query = '') =>
  hub.call('POST', `/v1.0/conversations/${id}/messages${query}`, body);
const bySms = (phone: string, text = 'by SMS'): Promise<Json> => inbound(hub, sms.id, phone, text);

let events = 0;

async function byLine(user: string, text = 'by LINE'): Promise<void> {
  events += 1;
  const id = `01H${String(events).padStart(23, '0')}`;
  const body = JSON.stringify({
    destination: `U${'f'.repeat(32)}`,
    events: [
      {
        type: 'message',
        webhookEventId: id,
        timestamp: Date.now(),
        mode: 'active',
        deliveryContext: { isRedelivery: false },
        source: { type: 'user', userId: user },
        message: { id: String(events), type: 'text', text },
      },
    ],
  });
  const headers = { 'x-line-signature': toBase64(await hmacSha256(utf8(SECRET), body)) };
  const answer = await exports.default.fetch(`${ORIGIN}/hooks/${line.id}`, { method: 'POST', headers, body });
  expect(answer.status).toBe(200);
}

const channelsOf = (message: Json): string[] => message.deliveries.map(({ channel }: Json) => channel);

test('one person on two channels is one conversation, and the answer goes where it wrote last', async () => {
  const person = newPerson();
  const { id } = await open(person);
  expect((await bySms(person.phone)).conversation_id).toBe(id);
  const first = await ok(send(id, { text: 'one' }));
  expect(first).toMatchObject({
    reference_type: 'message',
    deliveries: [{ channel: 'message', target: person.phone }],
  });
  await byLine(person.user);
  const second = await ok(send(id, { text: 'two' }));
  expect(second).toMatchObject({
    reference_type: 'line',
    destination: { type: 'line', target: person.user },
    deliveries: [{ channel: 'line', account_id: line.id, target: person.user }],
    routing: [
      {
        chosen: { channel: 'line', account_id: line.id, target: person.user },
        rejected: [{ channel: 'message', account_id: sms.id, target: person.phone, reason: 'NOT_NEEDED' }],
      },
    ],
  });
  const { result } = await ok(hub.call('GET', `/v1.0/conversations/${id}/messages`));
  expect(result.map(({ text, reference_type }: Json) => [reference_type, text]).toReversed()).toEqual([
    ['message', 'by SMS'],
    ['message', 'one'],
    ['line', 'by LINE'],
    ['line', 'two'],
  ]);
  expect((await ok(hub.call('GET', `/v1.0/conversations/${id}`))).type).toBe('line');
});

test('a person’s preference counts where it has not written, and the sender’s wish before everything', async () => {
  const person = newPerson();
  const { id } = await open(person, { preferred_channel: 'line' });
  expect(channelsOf(await ok(send(id, { text: 'x' })))).toEqual(['line']);
  expect(channelsOf(await ok(send(id, { text: 'x', channel: 'sms' })))).toEqual(['message']);
  expect(await send(id, { text: 'x', channel: 'pigeon' })).toMatchObject({
    status: 400,
    body: { error: { details: { channel: expect.any(String) } } },
  });
  await eventually(async () => {
    const { result } = await ok(hub.call('GET', `/v1.0/sandbox/outbox?account_id=${sms.id}`));
    expect(result.filter(({ to }: Json) => to === person.phone)).toMatchObject([{ from: '+15550100000', text: 'x' }]);
  });
  expect(await send(id, { text: 'x', channel: 'whatsapp' })).toMatchObject({
    status: 422,
    body: { error: { reason: 'NO_CHANNEL_AVAILABLE' } },
  });
});

test('what one channel does not take goes by the other, and who opted out of one is written to by the other', async () => {
  const person = newPerson();
  const { id } = await open(person);
  await bySms(person.phone);
  const long = await ok(send(id, { text: 'x'.repeat(2000) }));
  expect([channelsOf(long), long.routing[0].rejected[0].reason]).toEqual([['line'], 'CONTENT']);
  await bySms(person.phone, 'STOP');
  const other = await ok(send(id, { text: 'still here?' }));
  expect([channelsOf(other), other.routing[0].rejected[0].reason]).toEqual([['line'], 'OPTED_OUT']);
  expect(await send(id, { text: 'x', channel: 'message' })).toMatchObject({
    status: 422,
    body: { error: { reason: 'CONTACT_OPTED_OUT' } },
  });
  expect(await send(id, { text: 'x'.repeat(9000) })).toMatchObject({
    status: 400,
    body: { error: { details: { text: expect.any(String) } } },
  });
});

test('a dry run tells the choice and sends nothing', async () => {
  const person = newPerson();
  const { id } = await open(person);
  await byLine(person.user);
  const told = await ok(send(id, { text: 'x'.repeat(2000) }, '?dry_run=true'));
  expect(told).toEqual({
    dry_run: true,
    routing: [
      {
        participant_id: expect.any(String),
        chosen: { channel: 'line', account_id: line.id, target: person.user },
        rejected: [
          {
            channel: 'message',
            account_id: sms.id,
            target: person.phone,
            reason: 'CONTENT',
            problem: expect.stringContaining('text'),
          },
        ],
      },
    ],
  });
  const { result } = await ok(hub.call('GET', `/v1.0/conversations/${id}/messages`));
  expect(result).toHaveLength(1);
  expect((await send(id, { text: 'x' }, '?dry_run=maybe')).status).toBe(400);
});

test('several people get it each by their own channel, and who cannot be reached is named', async () => {
  const [one, two] = [newPerson(), newPerson()];
  const { id } = await ok(
    hub.call('POST', '/v1.0/conversations', {
      participants: [
        { type: 'tel', target: one.phone },
        { type: 'line', target: two.user },
        { type: 'email', target: 'somebody@company.example' },
      ],
    }),
  );
  const sent = await ok(send(id, { text: 'hello all' }));
  expect(channelsOf(sent)).toEqual(['message', 'line']);
  expect(sent.routing.map(({ chosen }: Json) => chosen?.channel ?? null)).toEqual(['message', 'line', null]);
  await eventually(async () => {
    const message = await ok(hub.call('GET', `/v1.0/conversations/${id}/messages/${sent.id}`));
    expect(message.deliveries[0]).toMatchObject({ target: one.phone, status: 'sent' });
  });
});
