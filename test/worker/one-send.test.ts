import { env } from 'cloudflare:workers';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { faults, heal, outbox } from '../support/faults.ts';
import { eventually, inbound, newHub, newSandbox, ok, type Hub, type Json } from '../support/hub.ts';
import { bringMail, newSender } from '../support/mails.ts';
import { listen } from '../support/receiver-worker.ts';
import { buildSendCommand, SEND_DEFAULTS } from '../../src/app/conversations/send.ts';
import { getConversation } from '../../src/objects/stubs.ts';

/**
 * Whoever sends, everybody in the conversation gets it, each by its best channel: Ada, who has a telephone, and Bob, who wrote by e-mail
 * last and has a telephone as well. The mailbox wants a fallback.
 */
interface World {
  hub: Hub;
  /** The account on which Ada writes, and machines answer. */
  sms: Json;
  mailbox: string;
}

const REFUSED = 'E_RECIPIENT_NOT_ALLOWED';

async function newWorld(automation: (hub: Hub) => Promise<Json>): Promise<World> {
  const hub = await newHub();
  const mailbox = `shop-${crypto.randomUUID().slice(0, 8)}@shop.example`;
  const email = { type: 'email', provider_data: { address: mailbox }, fallback: true };
  await ok(hub.call('POST', '/v1.0/conversation_accounts', email));
  const sms = await newSandbox(hub);
  await ok(hub.call('PUT', `/v1.0/conversation_accounts/${sms.id}`, await automation(hub)));
  return { hub, sms, mailbox };
}

let people = 0;

async function newConversation({ hub, mailbox }: World) {
  people += 2;
  const [ada, bob] = [`+15557400${String(people).padStart(3, '0')}`, `+15557400${String(people + 1).padStart(3, '0')}`];
  const mail = newSender();
  const participants = [
    { type: 'tel', target: ada },
    {
      addresses: [
        { type: 'tel', target: bob },
        { type: 'email', target: mail },
      ],
    },
  ];
  const { id } = await ok(hub.call('POST', '/v1.0/conversations', { participants }));
  await bringMail(env, { from: mail, to: mailbox, text: 'Bob writes by mail' });
  const { result } = await ok(hub.call('GET', `/v1.0/conversations/${id}/messages`));
  expect(result).toMatchObject([{ text: 'Bob writes by mail' }]);
  return { id, ada, bob, mail };
}

const answerTo = async ({ hub }: World, id: string, text: string): Promise<Json> => {
  const { result } = await ok(hub.call('GET', `/v1.0/conversations/${id}/messages`));
  const found = result.filter((each: Json) => each.text === text);
  expect(found).toHaveLength(1);
  return found[0];
};

const phoneOf = async ({ hub, sms }: World, number: string): Promise<string[]> => {
  const { result } = await ok(hub.call('GET', `/v1.0/sandbox/outbox?account_id=${sms.id}&page_size=100`));
  return result.filter(({ to }: Json) => to === number).map(({ text }: Json) => text);
};

const mailsTo = (address: string): number => outbox.filter(({ to }) => to === address).length;

afterEach(heal);

const machines: [string, string, (hub: Hub) => Promise<Json>][] = [
  [
    'a flow’s conversation_send',
    'flow',
    async (hub) => {
      const actions = [{ type: 'conversation_send', option: { text: 'Hello all' } }];
      return { message_flow_id: (await ok(hub.call('POST', '/v1.0/flows', { name: 'Greeter', actions }))).id };
    },
  ],
  [
    'an assistant’s answer',
    'assistant',
    async (hub) => {
      const receiver = listen(() => Response.json({ text: 'Hello all' }));
      const settings = { name: 'Grace', webhook_url: receiver.url, debounce_ms: 0 };
      return { assistant_id: (await ok(hub.call('POST', '/v1.0/assistants', settings))).id };
    },
  ],
];

describe.each(machines)('%s', (_, sender, automation) => {
  let world: World;

  beforeAll(async () => {
    world = await newWorld(automation);
  });

  test('reaches both people, each by the channel on which they wrote last', async () => {
    const { id, ada, bob, mail } = await newConversation(world);
    expect(await inbound(world.hub, world.sms.id, ada, 'hi')).toMatchObject({ conversation_id: id });
    const message = await eventually(async () => {
      const found = await answerTo(world, id, 'Hello all');
      expect(found.deliveries.map(({ status }: Json) => status)).toEqual(['sent', 'sent']);
      return found;
    });
    expect(message).toMatchObject({
      status: 'done',
      sender: { type: sender },
      deliveries: [
        { channel: 'message', target: ada },
        { channel: 'email', target: mail },
      ],
      routing: [
        { chosen: { channel: 'message', target: ada }, rejected: [] },
        {
          chosen: { channel: 'email', target: mail },
          rejected: [{ channel: 'message', target: bob, reason: 'NOT_NEEDED' }],
        },
      ],
    });
    expect([await phoneOf(world, ada), await phoneOf(world, bob), mailsTo(mail)]).toEqual([['Hello all'], [], 1]);
    // A machine's answer leaves the contact's last channel at the top.
    expect(await ok(world.hub.call('GET', `/v1.0/conversations/${id}`))).toMatchObject({
      type: 'message',
      peer: { target: ada },
      ai_mode: 'ai',
    });
  });

  test('takes the next channel where a delivery fails for good and its account asks for a fallback', async () => {
    const { id, ada, bob, mail } = await newConversation(world);
    faults.mail = REFUSED;
    await inbound(world.hub, world.sms.id, ada, 'hi');
    const message = await eventually(async () => {
      const found = await answerTo(world, id, 'Hello all');
      expect(found.deliveries.map(({ status }: Json) => status)).toEqual(['sent', 'failed', 'sent']);
      return found;
    });
    expect(message).toMatchObject({
      status: 'done',
      deliveries: [
        { channel: 'message', target: ada },
        { channel: 'email', target: mail, error: { code: REFUSED } },
        { channel: 'message', target: bob, fallback_for: message.deliveries[1].id },
      ],
    });
    expect([await phoneOf(world, ada), await phoneOf(world, bob), mailsTo(mail)]).toEqual([
      ['Hello all'],
      ['Hello all'],
      0,
    ]);
  });

  test('reaches one of them where the other one opted out, and says so', async () => {
    const { id, ada, bob, mail } = await newConversation(world);
    await inbound(world.hub, world.sms.id, bob, 'STOP');
    await bringMail(env, { from: mail, to: world.mailbox, text: 'By mail only' });
    faults.mail = REFUSED;
    await inbound(world.hub, world.sms.id, ada, 'hi');
    await eventually(async () => {
      const { result } = await ok(world.hub.call('GET', `/v1.0/conversations/${id}/messages`));
      const last = result.find(({ text }: Json) => text === 'Hello all');
      expect(last.deliveries).toMatchObject([
        { channel: 'message', target: ada, status: 'sent' },
        { channel: 'email', target: mail, status: 'failed' },
      ]);
      expect(last.routing[1].rejected).toMatchObject([{ target: bob, reason: 'OPTED_OUT' }]);
    });
    expect(await phoneOf(world, bob)).toEqual([]);
  });
});

test('a repeat with the same seed has the ids of the first time, one for each participant', async () => {
  const world = await newWorld(() => Promise.resolve({}));
  const { id } = await newConversation(world);
  const { customerId } = world.hub;
  const read = await getConversation(env, id).read(customerId);
  if (!read.ok) throw new Error(read.error.code);
  const request = {
    ...SEND_DEFAULTS,
    customerId,
    actor: { type: 'flow', id: 'f' } as const,
    actorName: '',
    text: 'hi',
  };
  const idsWith = async (seed: string | null) => {
    const command = await buildSendCommand(env, { ...request, seed }, read.value);
    if (!command.ok) throw new Error(command.error.code);
    return [command.value.messageId, ...command.value.recipients.map(({ deliveryId }) => deliveryId)];
  };
  const first = await idsWith('activeflow 1');
  expect(new Set(first).size).toBe(3);
  expect(await idsWith('activeflow 1')).toEqual(first);
  for (const other of await idsWith('activeflow 2')) expect(first).not.toContain(other);
  for (const other of await idsWith(null)) expect(first).not.toContain(other);
});
