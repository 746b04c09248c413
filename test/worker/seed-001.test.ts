import { exports } from 'cloudflare:workers';
import { expect, test } from 'vitest';
import * as seed from '../fixtures/seed-001.ts';
import { eventually, newHub, ok, ORIGIN, type Hub, type Json } from '../support/hub.ts';
import { newPeople, type Person } from '../support/people.ts';
import { listen } from '../support/receiver-worker.ts';
import { likeExample } from '../support/seed-shape.ts';
import { hmacSha256, toBase64, utf8 } from '../../src/security/encoding.ts';

const CONTACT = 'Ud871bcaf7c3ad13d2a0b0d78a42a287f';
const SECRET = 'line-channel-secret';

let messages = 0;

/** What LINE posts when the contact writes. */
async function contactWrites(account: Json, text: string): Promise<void> {
  messages += 1;
  const event = {
    type: 'message',
    mode: 'active',
    timestamp: Date.now(),
    source: { type: 'user', userId: CONTACT },
    webhookEventId: `01HTESTEVENT${String(messages).padStart(14, '0')}`,
    deliveryContext: { isRedelivery: false },
    message: { type: 'text', id: `51${messages}`, text },
  };
  const body = JSON.stringify({ destination: `U${'0'.repeat(32)}`, events: [event] });
  const headers = { 'x-line-signature': toBase64(await hmacSha256(utf8(SECRET), body)) };
  const path = new URL(account.hook_url).pathname;
  expect((await exports.default.fetch(`${ORIGIN}${path}`, { method: 'POST', headers, body })).status).toBe(200);
}

const activeflowsOf = async (hub: Hub): Promise<Json[]> => (await ok(hub.call('GET', '/v1.0/activeflows'))).result;

test('the six steps of seed 001, response by response', async () => {
  const hub = await newHub();
  const [agent] = await newPeople(hub, ['Support']);
  const [admin] = await newPeople(hub, ['Chief'], 32);
  if (!agent || !admin) throw new Error('nobody there');
  const receiver = listen();
  await ok(hub.call('POST', '/v1.0/webhook_endpoints', { url: receiver.url }));
  const flow = await ok(
    hub.call('POST', '/v1.0/flows', { name: 'Registered flow', actions: [{ type: 'sleep', option: { duration: 1 } }] }),
  );
  const account = await ok(
    hub.call('POST', '/v1.0/conversation_accounts', {
      type: 'line',
      secret: SECRET,
      token: 'line-channel-token',
      message_flow_id: flow.id,
    }),
  );

  // A conversation that an inbound message made, with its flow run.
  await contactWrites(account, 'hello');
  await eventually(async () => expect(await activeflowsOf(hub)).toMatchObject([{ status: 'ended' }]));
  const listed = await ok(hub.call('GET', '/v1.0/conversations'));
  likeExample(listed, seed.list);
  const { id } = listed.result[0];
  expect(listed.result[0]).toMatchObject({ type: 'line', dialog_id: CONTACT, owner_type: '' });

  await walk(hub, admin, agent, account, receiver, id);
});

async function walk(
  hub: Hub,
  admin: Person,
  agent: Person,
  account: Json,
  receiver: ReturnType<typeof listen>,
  id: string,
): Promise<void> {
  // Step 1. Admin assigns the conversation to the agent.
  const assigned = await ok(
    admin.call('PUT', `/v1.0/conversations/${id}?token=${admin.token}`, { owner_id: agent.id }),
  );
  likeExample(assigned, seed.assigned);
  expect(assigned).toMatchObject({ owner_type: 'agent', owner_id: agent.id });
  likeExample(await ok(admin.call('GET', `/v1.0/conversations/${id}`)), seed.assigned);

  // Step 2. The webhook reflects the new owner.
  const webhook = await eventually(() => {
    const found = receiver.received.find(({ body }) => body.data.owner_id === agent.id);
    if (!found) throw new Error('no webhook with the new owner');
    return found;
  });
  likeExample(webhook.body, seed.updatedWebhook);
  expect(webhook.body.data).toEqual(assigned);

  // Step 3. An inbound message on the assigned conversation starts nothing, and is announced as always.
  const before = await activeflowsOf(hub);
  await contactWrites(account, 'anybody there?');
  await eventually(() => {
    const texts = receiver.received
      .filter(({ body }) => body.type === 'conversation_message_created' && body.data.direction === 'incoming')
      .map(({ body }) => body.data.text);
    expect(texts).toContain('anybody there?');
  });
  expect(await activeflowsOf(hub)).toEqual(before);

  // Step 4. The reply: 403 with the agent's token, 200 with the administrator's.
  const reply = { text: seed.reply.text, medias: [] };
  expect((await agent.call('POST', `/v1.0/conversations/${id}/messages`, reply)).status).toBe(403);
  const sent = await ok(admin.call('POST', `/v1.0/conversations/${id}/messages`, reply));
  likeExample(sent, seed.reply);
  expect(sent).toMatchObject({
    direction: 'outgoing',
    status: 'progressing',
    reference_type: 'line',
    reference_id: CONTACT,
  });
  likeExample(await ok(admin.call('GET', `/v1.0/conversations/${id}/messages`)), seed.messageList);

  // "My conversations", while it is the agent's.
  const mine = await eventually(async () => {
    const page = await ok(
      agent.call('GET', `/v1.0/conversations?owner_id=${agent.id}&page_token=2999-04-30T10:00:00.000000Z`),
    );
    expect(page.result).toHaveLength(1);
    return page;
  });
  likeExample(mine, seed.list);
  expect((await agent.call('GET', '/v1.0/conversations')).status).toBe(403);
  expect((await agent.call('GET', `/v1.0/conversations?owner_id=${admin.id}`)).status).toBe(403);

  // Step 5. The agent unassigns itself: by POST, and not by PUT.
  const nil = { owner_id: seed.unassigned.owner_id };
  expect((await agent.call('PUT', `/v1.0/conversations/${id}`, nil)).status).toBe(403);
  const released = await ok(agent.call('POST', `/v1.0/conversations/${id}/unassign?token=${agent.token}`));
  likeExample(released, seed.unassigned);
  expect(released).toMatchObject({ owner_type: '', owner_id: seed.unassigned.owner_id });
  expect((await agent.call('POST', `/v1.0/conversations/${id}/unassign`)).status).toBe(403);
  expect((await admin.call('POST', `/v1.0/conversations/${crypto.randomUUID()}/unassign`)).status).toBe(404);

  // Step 6. The next inbound message starts the flow again.
  await contactWrites(account, 'one more thing');
  await eventually(async () => {
    const after = await activeflowsOf(hub);
    expect(after).toHaveLength(before.length + 1);
    expect(after[0]).toMatchObject({ status: 'ended', reference_id: id });
  });
}
