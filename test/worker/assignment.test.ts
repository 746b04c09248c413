import { beforeAll, describe, expect, test } from 'vitest';
import { eventually, inbound, newHub, newSandbox, ok, type Call, type Hub, type Json } from '../support/hub.ts';
import { listen } from '../support/receiver-worker.ts';

const NIL = '00000000-0000-0000-0000-000000000000';

let hub: Hub;
let account: Json;
let owner: { id: string; call: Call };
let other: { id: string; call: Call };

beforeAll(async () => {
  hub = await newHub();
  account = await newSandbox(hub);
  [owner, other] = [await newAgent('owner'), await newAgent('other')];
});

async function newAgent(name: string): Promise<{ id: string; call: Call }> {
  const username = `${name}-${hub.customerId}`;
  const { id } = await ok(hub.call('POST', '/v1.0/agents', { username, password: 'long enough' }));
  const { token } = await ok(hub.call('POST', '/auth/login', { username, password: 'long enough' }));
  return { id, call: hub.as(token) };
}

let contacts = 0;
const newConversation = async (): Promise<string> =>
  (await inbound(hub, account.id, `+155500090${String((contacts += 1)).padStart(2, '0')}`, 'hello')).conversation_id;

const assign = (id: string, ownerId: string): Promise<Json> =>
  ok(hub.call('PUT', `/v1.0/conversations/${id}`, { owner_id: ownerId }));

describe.each(['/v1.0/conversations', '/v1.0/service_agents/conversations'])('seed 001 under %s', (base) => {
  test('assigns, lets the owner answer and give it back, and tells the webhook of each step', async () => {
    const id = await newConversation();
    const receiver = listen();
    await ok(hub.call('POST', '/v1.0/webhook_endpoints', { url: receiver.url, events: ['conversation_updated'] }));

    const assigned = await ok(hub.call('PUT', `${base}/${id}`, { owner_id: owner.id, owner_type: 'nonsense' }));
    expect(assigned).toMatchObject({ id, owner_type: 'agent', owner_id: owner.id, ai_mode: 'human' });
    await eventually(() =>
      expect(receiver.one('conversation_updated').body.data).toMatchObject({ id, owner_id: owner.id }),
    );

    expect((await owner.call('POST', `/v1.0/conversations/${id}/messages`, { text: 'x', medias: [] })).status).toBe(
      403,
    );
    const reply = { text: 'Hi, this is the support agent. How can I help you today?', medias: [] };
    const sent = await ok(owner.call('POST', `/v1.0/service_agents/conversations/${id}/messages`, reply));
    expect(sent).toMatchObject({
      direction: 'outgoing',
      status: 'progressing',
      sender: { type: 'agent', id: owner.id },
    });

    const released = await ok(owner.call('POST', `${base}/${id}/unassign`));
    expect(released).toMatchObject({ id, owner_type: '', owner_id: NIL, ai_mode: 'ai' });
    await eventually(() => expect(receiver.received.map(({ body }) => body.data.owner_id)).toContain(NIL));
  });

  test('refuses with the seed’s status codes', async () => {
    const id = await newConversation();
    await assign(id, owner.id);
    expect((await owner.call('PUT', `${base}/${id}`, { owner_id: NIL })).status).toBe(403);
    expect((await other.call('POST', `${base}/${id}/unassign`)).status).toBe(403);
    expect((await hub.call('POST', `${base}/${crypto.randomUUID()}/unassign`)).status).toBe(404);
    expect((await hub.call('POST', `${base}/nonsense/unassign`)).status).toBe(400);
    const gone = await newAgent(`gone-${base.length}`);
    await ok(hub.call('DELETE', `/v1.0/agents/${gone.id}`));
    for (const nobody of [crypto.randomUUID(), 'nonsense', gone.id]) {
      expect(await hub.call('PUT', `${base}/${id}`, { owner_id: nobody })).toMatchObject({
        status: 400,
        body: { error: { details: { owner_id: expect.any(String) } } },
      });
    }
    expect(await ok(hub.call('POST', `${base}/${id}/unassign`))).toMatchObject({ owner_id: NIL });
    expect(await ok(hub.call('POST', `${base}/${id}/unassign`))).toMatchObject({ owner_id: NIL });
    expect((await owner.call('POST', `${base}/${id}/unassign`)).status).toBe(403);
  });

  test('answers an unassign that is retried under its key as it did the first time', async () => {
    const id = await newConversation();
    await assign(id, owner.id);
    const unassign = () =>
      ok(owner.call('POST', `${base}/${id}/unassign`, undefined, { 'idempotency-key': `${base}-once` }));
    expect(await unassign()).toEqual(await unassign());
  });
});

describe('the service agents’ routes', () => {
  test('show an agent its own conversations, and a manager all', async () => {
    const [mine, notMine] = [await newConversation(), await newConversation()];
    await assign(mine, other.id);
    await eventually(async () => {
      const own = (await ok(other.call('GET', '/v1.0/service_agents/conversations'))).result.map(({ id }: Json) => id);
      expect(own).toContain(mine);
      expect(own).not.toContain(notMine);
      const all = (await ok(hub.call('GET', '/v1.0/service_agents/conversations'))).result.map(({ id }: Json) => id);
      expect(all).toEqual(expect.arrayContaining([mine, notMine]));
      const forced = await ok(other.call('GET', `/v1.0/service_agents/conversations?owner_id=${owner.id}`));
      expect(forced.result.map(({ id }: Json) => id)).not.toContain(notMine);
    });
  });

  test('open a conversation to its owner, and to no other agent', async () => {
    const id = await newConversation();
    await assign(id, owner.id);
    const path = `/v1.0/service_agents/conversations/${id}`;
    const { result } = await ok(owner.call('GET', `${path}/messages`));
    for (const target of [path, `${path}/messages`, `${path}/messages/${result[0].id}`]) {
      expect((await owner.call('GET', target)).status, target).toBe(200);
      expect((await other.call('GET', target)).status, target).toBe(403);
      expect((await hub.call('GET', target)).status, target).toBe(200);
    }
    expect((await other.call('POST', `${path}/messages`, { text: 'x' })).status).toBe(403);
    expect((await owner.call('GET', `/v1.0/conversations/${id}`)).status).toBe(403);
    expect((await owner.call('DELETE', path)).status).toBe(404);
  });

  test('take nothing more from an agent that has just lost the conversation', async () => {
    const id = await newConversation();
    await assign(id, owner.id);
    const path = `/v1.0/service_agents/conversations/${id}/messages`;
    const sends = Array.from({ length: 10 }, (_, index) => owner.call('POST', path, { text: `m${index}` }));
    await assign(id, other.id);
    const statuses = (await Promise.all(sends)).map(({ status }) => status);
    expect(statuses.every((status) => status === 200 || status === 403)).toBe(true);
    const { result } = await ok(hub.call('GET', path));
    const accepted = result.filter(({ direction }: Json) => direction === 'outgoing');
    expect(accepted).toHaveLength(statuses.filter((status) => status === 200).length);
    expect((await owner.call('POST', path, { text: 'too late' })).status).toBe(403);
  });
});
