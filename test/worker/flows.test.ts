import { evictDurableObject, introspectWorkflow, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, test } from 'vitest';
import { eventually, inbound, newHub, newSandbox, ok, type Hub, type Json } from '../support/hub.ts';
import { newPeople, type Person } from '../support/people.ts';
import { listen } from '../support/receiver-worker.ts';
import { hmacSha256, toHex, utf8 } from '../../src/security/encoding.ts';

let hub: Hub;
let agent: Person;

beforeAll(async () => {
  hub = await newHub();
  [agent] = (await newPeople(hub, ['Olive'])) as [Person];
});

const newFlow = (actions: Json[], parts: Json = {}): Promise<Json> =>
  ok(hub.call('POST', '/v1.0/flows', { name: 'Greeter', actions, ...parts }));

async function withFlow(flow: Json): Promise<Json> {
  const account = await newSandbox(hub);
  await ok(hub.call('PUT', `/v1.0/conversation_accounts/${account.id}`, { message_flow_id: flow.id }));
  return account;
}

let contacts = 0;
const nextContact = (): string => `+15557300${String((contacts += 1)).padStart(3, '0')}`;
const send = (text: string, id?: string): Json => ({
  ...(id ? { id } : {}),
  type: 'conversation_send',
  option: { text },
});
const sleep = (duration: number): Json => ({ type: 'sleep', option: { duration } });
const put = (id: string, body: Json): Promise<Json> => ok(hub.call('PUT', `/v1.0/conversations/${id}`, body));
const messagesOf = async (id: string): Promise<Json[]> =>
  (await ok(hub.call('GET', `/v1.0/conversations/${id}/messages`))).result.toReversed();
const textsOf = async (id: string): Promise<string[]> => (await messagesOf(id)).map(({ text }) => text);
const activeflowsOf = async (id: string): Promise<Json[]> =>
  (await ok(hub.call('GET', `/v1.0/activeflows?reference_id=${id}`))).result;
const ended = (id: string, count = 1): Promise<Json[]> =>
  eventually(async () => {
    const found = await activeflowsOf(id);
    expect(found.map(({ status }) => status)).toEqual(Array.from({ length: count }, () => 'ended'));
    return found;
  });

describe('a flow', () => {
  test('is started by each message of an unowned conversation, fills in its variables, and shows what it did', async () => {
    const receiver = listen();
    const secret = 'a-secret-of-the-customer';
    await ok(hub.call('PUT', '/v1.0/customer', { webhook_secret: secret }));
    const actions = [
      send('Hello ${voipbin.conversation.peer.target}, you wrote “${voipbin.conversation_message.text}”.', 'greet'),
      {
        id: 'tell',
        type: 'webhook_send',
        option: {
          uri: receiver.url,
          data: { text: '${voipbin.conversation_message.text}', ids: ['${voipbin.activeflow.id}'] },
        },
      },
      { id: 'end', type: 'stop', option: {} },
      send('never'),
    ];
    const flow = await newFlow(actions);
    const account = await withFlow(flow);
    const contact = nextContact();
    const { conversation_id: id, message_id } = await inbound(hub, account.id, contact, 'a "quoted" \\ text');
    const [activeflow] = await ended(id);
    expect(activeflow).toMatchObject({
      flow_id: flow.id,
      reference_type: 'conversation',
      reference_id: id,
      message_id,
      current_action: null,
      error: '',
      variables: { 'voipbin.conversation_message.text': 'a "quoted" \\ text', 'voipbin.conversation.id': id },
    });
    expect(activeflow.executed_actions.map(({ id: action, outcome }: Json) => [action, outcome])).toEqual([
      ['greet', 'done'],
      ['tell', 'done'],
      ['end', 'done'],
    ]);
    const [, said] = await messagesOf(id);
    expect(said).toMatchObject({
      text: `Hello ${contact}, you wrote “a "quoted" \\ text”.`,
      direction: 'outgoing',
      sender: { type: 'flow', id: activeflow.id, name: 'Greeter' },
    });
    expect(receiver.received).toHaveLength(1);
    expect(receiver.received[0]).toMatchObject({
      method: 'POST',
      body: { text: 'a "quoted" \\ text', ids: [activeflow.id] },
    });
    const [{ headers, text } = { headers: new Headers(), text: '' }] = receiver.received;
    expect(headers.get('x-voipbin-signature')).toBe(`sha256=${toHex(await hmacSha256(utf8(secret), text))}`);
    await inbound(hub, account.id, contact, 'again');
    await ended(id, 2);
    expect(await ok(hub.call('GET', `/v1.0/activeflows/${activeflow.id}`))).toEqual(activeflow);
  });

  test('branches by a variable, and loops with rests in between', async () => {
    const introspector = await introspectWorkflow(env.FLOWS);
    try {
      await introspector.modifyAll((modifier) => modifier.disableSleeps());
      const flow = await newFlow([
        {
          type: 'branch',
          option: { variable: 'voipbin.conversation_message.text', equals: '1', goto: 'sales' },
        },
        send('Support here.', 'loop'),
        sleep(60_000),
        { type: 'branch', option: { variable: 'voipbin.conversation.ai_mode', equals: 'ai', goto: 'loop' } },
        { type: 'stop' },
        send('Sales here.', 'sales'),
      ]);
      const account = await withFlow(flow);
      const sales = await inbound(hub, account.id, nextContact(), ' 1 ');
      await ended(sales.conversation_id);
      expect(await textsOf(sales.conversation_id)).toEqual([' 1 ', 'Sales here.']);

      const support = await inbound(hub, account.id, nextContact(), '2');
      await eventually(async () => expect((await textsOf(support.conversation_id)).length).toBeGreaterThan(3));
      await put(support.conversation_id, { ai_mode: 'human' });
      await ended(support.conversation_id);
    } finally {
      await introspector.dispose();
    }
  });

  test('is not started for a conversation that is owned or in mode human, nor by a STOP; and is started again after', async () => {
    const account = await withFlow(await newFlow([send('auto')]));
    const contact = nextContact();
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'one');
    await ended(id);
    await put(id, { owner_id: agent.id });
    await inbound(hub, account.id, contact, 'two');
    await put(id, { owner_id: '00000000-0000-0000-0000-000000000000' });
    await put(id, { ai_mode: 'human' });
    await inbound(hub, account.id, contact, 'three');
    await put(id, { ai_mode: 'ai' });
    await inbound(hub, account.id, contact, 'STOP');
    await inbound(hub, account.id, contact, 'four');
    await inbound(hub, account.id, contact, 'START');
    await ended(id, 2);
    expect(await textsOf(id)).toEqual(['one', 'auto', 'two', 'three', 'STOP', 'four', 'START', 'auto']);
  });

  test('of a redelivered message is not started twice, nor lost when the object is evicted at once', async () => {
    const account = await withFlow(await newFlow([send('auto')]));
    const body = { account_id: account.id, from: nextContact(), text: 'hi' };
    const key = { 'idempotency-key': crypto.randomUUID() };
    const { conversation_id: id } = await ok(hub.call('POST', '/v1.0/sandbox/inbound', body, key));
    await evictDurableObject(env.CONVERSATION.getByName(id));
    await ok(hub.call('POST', '/v1.0/sandbox/inbound', body, key));
    await ended(id);
    expect(await textsOf(id)).toEqual(['hi', 'auto']);
  });

  test('that is edited or deleted lets those go on that run', async () => {
    const introspector = await introspectWorkflow(env.FLOWS);
    try {
      const flow = await newFlow([sleep(1500), send('as it was')]);
      const account = await withFlow(flow);
      const { conversation_id: id } = await inbound(hub, account.id, nextContact(), 'hi');
      await eventually(async () => expect(await activeflowsOf(id)).toMatchObject([{ status: 'running' }]));
      await ok(hub.call('PUT', `/v1.0/flows/${flow.id}`, { actions: [send('as it is')] }));
      await ok(hub.call('DELETE', `/v1.0/flows/${flow.id}`));
      await ended(id);
      expect(await textsOf(id)).toEqual(['hi', 'as it was']);
      const later = await inbound(hub, account.id, nextContact(), 'hi');
      expect(await activeflowsOf(later.conversation_id)).toEqual([]);
    } finally {
      await introspector.dispose();
    }
  });

  test('goes on through a takeover unless it is fenced, and then says why it stopped', async () => {
    const [free, fenced] = await Promise.all(
      [false, true].map(async (isFenced) => {
        const account = await withFlow(
          await newFlow([send('first'), sleep(1500), send('second')], { fenced: isFenced }),
        );
        return (await inbound(hub, account.id, nextContact(), 'hi')).conversation_id as string;
      }),
    );
    for (const id of [free, fenced]) await eventually(async () => expect(await textsOf(id ?? '')).toContain('first'));
    for (const id of [free, fenced]) await put(id ?? '', { owner_id: agent.id });
    await ended(free ?? '');
    await eventually(async () =>
      expect(await activeflowsOf(fenced ?? '')).toMatchObject([{ status: 'stopped', error: 'MODE_CHANGED' }]),
    );
    expect(await textsOf(free ?? '')).toEqual(['hi', 'first', 'second']);
    expect(await textsOf(fenced ?? '')).toEqual(['hi', 'first']);
  });

  test('that assigns the conversation itself goes on, fenced or not, and what it tries in vain is shown', async () => {
    const actions = [
      { type: 'assign', option: { owner_id: agent.id } },
      send('Olive will help you.'),
      {
        type: 'webhook_send',
        option: { uri: 'https://unreachable.example/${voipbin.conversation.id}', data: 'x', method: 'PUT' },
      },
      send('${no.such.variable}'),
    ];
    const account = await withFlow(await newFlow(actions, { fenced: true }));
    const { conversation_id: id } = await inbound(hub, account.id, nextContact(), 'hi');
    const [activeflow] = await ended(id);
    expect(activeflow.executed_actions.map(({ outcome }: Json) => outcome)).toEqual([
      'done',
      'done',
      'NO_ANSWER',
      'EMPTY_TEXT',
    ]);
    expect(await textsOf(id)).toEqual(['hi', 'Olive will help you.']);
    const history = await ok(hub.call('GET', `/v1.0/conversations/${id}/assignment_history`));
    expect(history.result).toMatchObject([{ to_owner_id: agent.id, actor: { type: 'flow', id: activeflow.id } }]);
  });

  test('that is fenced and assigns the conversation lets out what it said just before', async () => {
    const actions = [
      send('An agent will be with you.'),
      { type: 'assign', option: { owner_id: agent.id } },
      send('Bye.'),
    ];
    const flow = await newFlow(actions, { fenced: true });
    const account = await withFlow(flow);
    await ok(
      hub.call('POST', '/v1.0/sandbox/faults', { account_id: account.id, count: 2, kind: 'throttle', retry_after: 1 }),
    );
    const { conversation_id: id } = await inbound(hub, account.id, nextContact(), 'hi');
    await ended(id);
    await eventually(async () =>
      expect((await messagesOf(id)).map(({ text, status }) => [text, status])).toEqual([
        ['hi', 'received'],
        ['An agent will be with you.', 'done'],
        ['Bye.', 'done'],
      ]),
    );
  });

  test('that is fenced and assigned the conversation is taken over by the person’s reply', async () => {
    const actions = [
      { type: 'assign', option: { owner_id: agent.id } },
      send('Olive will help.'),
      sleep(1500),
      send('And?'),
    ];
    const account = await withFlow(await newFlow(actions, { fenced: true }));
    const { conversation_id: id } = await inbound(hub, account.id, nextContact(), 'hi');
    await eventually(async () => expect(await textsOf(id)).toContain('Olive will help.'));
    await ok(agent.call('POST', `/v1.0/service_agents/conversations/${id}/messages`, { text: 'I am here.' }));
    await eventually(async () =>
      expect(await activeflowsOf(id)).toMatchObject([{ status: 'stopped', error: 'MODE_CHANGED' }]),
    );
    expect(await textsOf(id)).toEqual(['hi', 'Olive will help.', 'I am here.']);
  });

  test('does an assignment once, however often its step is repeated', async () => {
    const account = await newSandbox(hub);
    const { conversation_id: id } = await inbound(hub, account.id, nextContact(), 'hi');
    const object = env.CONVERSATION.getByName(id);
    const activeflowId = crypto.randomUUID();
    const command = {
      customerId: hub.customerId,
      actor: { type: 'flow' as const, id: activeflowId },
      ownerId: agent.id,
      fence: 0,
    };
    const step = { activeflowId, count: 1 };
    expect(await object.updateByFlow(command, step)).toEqual({ ok: true, value: 1 });
    await put(id, { owner_id: hub.adminId });
    await evictDurableObject(object);
    expect(await object.updateByFlow(command, step)).toEqual({ ok: true, value: 1 });
    expect(await ok(hub.call('GET', `/v1.0/conversations/${id}`))).toMatchObject({ owner_id: hub.adminId });
    expect(await object.updateByFlow(command, { activeflowId, count: 2 })).toMatchObject({
      ok: false,
      error: { code: 'MODE_CHANGED' },
    });
  });

  test('that does not exist any more leaves the conversation to people, visibly', async () => {
    const flow = await newFlow([send('auto')]);
    const account = await withFlow(flow);
    await ok(hub.call('DELETE', `/v1.0/flows/${flow.id}`));
    const { conversation_id: id } = await inbound(hub, account.id, nextContact(), 'hi');
    await eventually(async () => {
      const history = await ok(hub.call('GET', `/v1.0/conversations/${id}/mode_history`));
      expect(history.result).toMatchObject([
        { reason: 'flow_gone', to_mode: 'human', actor: { type: 'flow', id: flow.id } },
      ]);
    });
    expect(await activeflowsOf(id)).toEqual([]);
  });

  test('shows and sends nothing of a message that was deleted', async () => {
    const flow = await newFlow([sleep(1500), send('You wrote: ${voipbin.conversation_message.text}')]);
    const account = await withFlow(flow);
    const { conversation_id: id, message_id } = await inbound(hub, account.id, nextContact(), 'a secret');
    const shown = async () => {
      const [activeflow] = await activeflowsOf(id);
      return activeflow?.variables['voipbin.conversation_message.text'];
    };
    await eventually(async () => expect(await shown()).toBe('a secret'));
    await ok(hub.call('DELETE', `/v1.0/conversations/${id}/messages/${message_id}`));
    await ended(id);
    expect(await shown()).toBe('');
    expect(await textsOf(id)).toEqual(['You wrote: ']);
    const { results } = await env.DB.prepare('SELECT * FROM activeflows WHERE conversation_id = ?').bind(id).all();
    expect(JSON.stringify(results)).not.toContain('a secret');
  });

  test('that is stopped sends nothing more, from the answer on', async () => {
    const account = await withFlow(await newFlow([send('first'), sleep(1000), send('second')]));
    const { conversation_id: id } = await inbound(hub, account.id, nextContact(), 'hi');
    const [running] = await eventually(async () => {
      const found = await activeflowsOf(id);
      expect(found).toMatchObject([{ status: 'running', current_action: { type: 'sleep' } }]);
      expect(found[0].executed_actions).toHaveLength(2);
      return found;
    });
    const stopped = await ok(hub.call('POST', `/v1.0/activeflows/${running.id}/stop`));
    expect(stopped).toMatchObject({ status: 'stopped', error: 'STOPPED', current_action: null });
    expect(await ok(hub.call('POST', `/v1.0/activeflows/${running.id}/stop`))).toEqual(stopped);
    const command = { customerId: hub.customerId, actor: { type: 'flow' as const, id: running.id }, name: 'x' };
    const step = { activeflowId: running.id, count: 3 };
    const refused = await env.CONVERSATION.getByName(id).updateByFlow(command, step);
    expect(refused).toMatchObject({ ok: false, error: { code: 'ACTIVEFLOW_STOPPED' } });
    expect(await textsOf(id)).toEqual(['hi', 'first']);
  });

  test('that is stopped takes back what waits to be sent, and the turn that it asked for', async () => {
    const receiver = listen(() => Response.json({ text: 'too late' }));
    const assistant = await ok(hub.call('POST', '/v1.0/assistants', { webhook_url: receiver.url, debounce_ms: 2000 }));
    const actions = [send('first'), { type: 'assistant_reply', option: { assistant_id: assistant.id } }];
    const account = await withFlow(await newFlow(actions));
    const throttle = { account_id: account.id, count: 1000, kind: 'throttle', retry_after: 3600 };
    await ok(hub.call('POST', '/v1.0/sandbox/faults', throttle));
    const { conversation_id: id } = await inbound(hub, account.id, nextContact(), 'hi');
    const [running] = await eventually(async () => {
      const found = await activeflowsOf(id);
      expect(found).toMatchObject([{ status: 'running', current_action: { type: 'assistant_reply' } }]);
      expect(found[0].executed_actions).toHaveLength(2);
      return found;
    });
    await ok(hub.call('POST', `/v1.0/activeflows/${running.id}/stop`));
    const failed = { text: 'first', status: 'failed', deliveries: [{ error: { code: 'ACTIVEFLOW_STOPPED' } }] };
    await eventually(async () => expect((await messagesOf(id)).at(-1)).toMatchObject(failed));
    const pending = await runInDurableObject(env.CONVERSATION.getByName(id), (_, state) => {
      const [row] = state.storage.sql.exec<{ data: string }>('SELECT data FROM record').toArray();
      return JSON.parse(row?.data ?? '{}').pending.turns;
    });
    expect(pending).toEqual([]);
    expect(receiver.received).toEqual([]);
  });

  test('has an assistant answer once however many messages started it, and waits for the answer', async () => {
    const asked: Json[] = [];
    const receiver = listen((_, body) => {
      asked.push(body);
      return Response.json({ text: body.data.messages.map(({ text }: Json) => text).join('+') });
    });
    const assistant = await ok(hub.call('POST', '/v1.0/assistants', { webhook_url: receiver.url, debounce_ms: 1000 }));
    const flow = await newFlow([
      { type: 'assistant_reply', option: { assistant_id: assistant.id } },
      send('Was that helpful?'),
    ]);
    const account = await withFlow(flow);
    const contact = nextContact();
    const { conversation_id: id } = await inbound(hub, account.id, contact, 'a');
    await inbound(hub, account.id, contact, 'b');
    await ended(id, 2);
    expect(await textsOf(id)).toEqual(['a', 'b', 'a+b', 'Was that helpful?', 'Was that helpful?']);
    expect(asked).toHaveLength(1);
  });
});

describe('a flow that cannot be run', () => {
  test.each<[string, string, Json[]]>([
    ['an unknown action', 'actions.0.type', [{ type: 'conversation_sing', option: {} }]],
    ['an empty text', 'actions.0.option.text', [send('  ')]],
    ['an option that no action has', 'actions.0.option', [{ type: 'sleep', option: { duration: 1000, hours: 1 } }]],
    ['a sleep of no time', 'actions.0.option.duration', [sleep(0)]],
    [
      'a jump to nowhere',
      'actions.0.option.goto',
      [{ type: 'branch', option: { variable: 'x', equals: 'y', goto: 'z' } }],
    ],
    ['two actions of one id', 'actions.1.id', [send('a', 'x'), send('b', 'x')]],
    [
      'a loop without sleep',
      'actions.1.option.goto',
      [send('a', 'x'), { type: 'branch', option: { variable: 'x', equals: '', goto: 'x' } }],
    ],
    ['a target that is none', 'actions.0.option.uri', [{ type: 'webhook_send', option: { uri: 'ftp://x' } }]],
    [
      'a foreign assistant',
      'actions.0.option.assistant_id',
      [{ type: 'assistant_reply', option: { assistant_id: crypto.randomUUID() } }],
    ],
    ['an unknown agent', 'actions.0.option.owner_id', [{ type: 'assign', option: { owner_id: crypto.randomUUID() } }]],
  ])('because of %s is refused with the field named', async (_, field, actions) => {
    const refused = await hub.call('POST', '/v1.0/flows', { actions });
    expect(refused).toMatchObject({ status: 400, body: { error: { details: { [field]: expect.any(String) } } } });
  });
});
