import { exports } from 'cloudflare:workers';
import { beforeAll, describe, expect, test } from 'vitest';
import { callWith, inbound, newHub, newSandbox, ok, ORIGIN, type Hub, type Json } from '../support/hub.ts';
import { newPeople, type Person } from '../support/people.ts';

/**
 * "It shows" 2 of issue 4: who may do what on every route of conversations (seed 001, spec sections 3 and 9). The routes come out of
 * the OpenAPI document: one that is new and not in this table fails the first test.
 */
const CALLERS = ['admin', 'manager', 'owner', 'other', 'foreign', 'key', 'nobody'] as const;

type Caller = (typeof CALLERS)[number];

/** Of a conversation that `owner` owns, by caller in the order above. A foreign administrator learns nothing: 404. */
const MANAGERS = [200, 200, 403, 403, 404, 200, 401];
const MANAGERS_AND_OWNER = [200, 200, 200, 403, 404, 200, 401];
const SOCKETS = [101, 101, 101, 403, 404, 101, 401];
/** A list of one's own: nobody is foreign to it. */
const LISTS = { managers: [200, 200, 403, 403, 200, 200, 401], everybody: [200, 200, 200, 200, 200, 200, 401] };
/** Readable is not the same as there: this message has no file. */
const NO_FILE = [404, 404, 404, 403, 404, 404, 401];

const family = (base: string, read: number[], send: number[]): Record<string, number[]> => ({
  [`GET ${base}/{id}`]: read,
  [`PUT ${base}/{id}`]: MANAGERS,
  [`POST ${base}/{id}/unassign`]: MANAGERS_AND_OWNER,
  [`GET ${base}/{id}/messages`]: read,
  [`POST ${base}/{id}/messages`]: send,
  [`GET ${base}/{id}/messages/{message_id}`]: read,
  [`GET ${base}/{id}/participants`]: read,
  [`GET ${base}/{id}/timeline`]: read,
  [`GET ${base}/{id}/mode_history`]: read,
  [`GET ${base}/{id}/assignment_history`]: read,
  [`GET ${base}/{id}/stream`]: MANAGERS_AND_OWNER,
  [`GET ${base}/{id}/ws`]: SOCKETS,
});

const TABLE: Record<string, number[]> = {
  'GET /v1.0/conversations': LISTS.managers,
  'GET /v1.0/service_agents/conversations': LISTS.everybody,
  ...family('/v1.0/conversations', MANAGERS, MANAGERS),
  ...family('/v1.0/service_agents/conversations', MANAGERS_AND_OWNER, MANAGERS_AND_OWNER),
  'POST /v1.0/conversations': LISTS.managers,
  'POST /v1.0/conversations/{id}/participants': MANAGERS,
  'DELETE /v1.0/conversations/{id}/participants/{participant_id}': MANAGERS,
  'DELETE /v1.0/conversations/{id}': MANAGERS,
  'DELETE /v1.0/conversations/{id}/messages/{message_id}': MANAGERS,
  'GET /v1.0/conversations/{id}/messages/{message_id}/medias/{index}': NO_FILE,
};

const BODIES: Record<string, () => Json> = {
  PUT: () => ({ name: 'renamed' }),
  POST: () => ({ text: 'hello' }),
  'POST /v1.0/conversations': () => ({ participants: [nextPerson()] }),
  'POST /v1.0/conversations/{id}/participants': nextPerson,
};

let people = 0;

function nextPerson(): Json {
  people += 1;
  return { type: 'tel', target: `+1555741${String(people).padStart(4, '0')}` };
}

let hub: Hub;
let account: Json;
let owner: Person;
let credentials: Record<Caller, string | null>;

beforeAll(async () => {
  hub = await newHub();
  const foreign = await newHub();
  await newSandbox(foreign);
  account = await newSandbox(hub);
  const [found, other] = await newPeople(hub, ['Owner', 'Other']);
  const [admin] = await newPeople(hub, ['Admin'], 32);
  const [manager] = await newPeople(hub, ['Manager'], 64);
  if (!found || !other || !admin || !manager) throw new Error('nobody there');
  owner = found;
  credentials = {
    admin: admin.token,
    manager: manager.token,
    owner: owner.token,
    other: other.token,
    foreign: foreign.accessKey,
    key: hub.accessKey,
    nobody: null,
  };
});

let contacts = 0;

/** A new conversation for each try: one caller's success must not decide the next one's. */
async function newOwned(): Promise<{ id: string; messageId: string; participantId: string }> {
  contacts += 1;
  const landed = await inbound(hub, account.id, `+1555740${String(contacts).padStart(4, '0')}`, 'hello');
  await ok(hub.call('PUT', `/v1.0/conversations/${landed.conversation_id}`, { owner_id: owner.id }));
  const joined = await ok(hub.call('POST', `/v1.0/conversations/${landed.conversation_id}/participants`, nextPerson()));
  return { id: landed.conversation_id, messageId: landed.message_id, participantId: joined.id };
}

async function tryAs(caller: Caller, route: string, query = ''): Promise<number> {
  const [method = '', path = ''] = route.split(' ');
  const owned = path.includes('{') ? await newOwned() : { id: '', messageId: '', participantId: '' };
  const target = path
    .replace('{id}', owned.id)
    .replace('{message_id}', owned.messageId)
    .replace('{participant_id}', owned.participantId)
    .replace('{index}', '0');
  const body = path.endsWith('/unassign') ? undefined : (BODIES[route] ?? BODIES[method])?.();
  const headers = { ...authorizationOf(caller), ...(path.endsWith('/ws') ? { upgrade: 'websocket' } : {}) };
  return request(`${target}${query}`, method, headers, body);
}

const authorizationOf = (caller: Caller): Record<string, string> =>
  credentials[caller] === null ? {} : { authorization: `Bearer ${credentials[caller]}` };

async function request(target: string, method: string, headers: Record<string, string>, body: Json): Promise<number> {
  const content = body === undefined ? {} : { body: JSON.stringify(body) };
  const type = body === undefined ? {} : { 'content-type': 'application/json' };
  const init = { method, headers: { ...headers, ...type }, ...content };
  const response = await exports.default.fetch(`${ORIGIN}${target}`, init);
  response.webSocket?.accept();
  response.webSocket?.close();
  await response.body?.cancel();
  return response.status;
}

test('the table knows every route of conversations, and no other', async () => {
  const document = await ok(callWith(null)('GET', '/openapi.json'));
  const routes = Object.entries<Json>(document.paths)
    .filter(([path]) => /^\/v1\.0\/(service_agents\/)?conversations(\/|$)/.test(path))
    .flatMap(([path, item]) => Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`));
  expect(routes.toSorted()).toEqual(Object.keys(TABLE).toSorted());
});

describe.each(Object.entries(TABLE))('%s', (route, expected) => {
  test(`answers ${CALLERS.join(', ')} with ${expected.join(', ')}`, async () => {
    const statuses = await Promise.all(CALLERS.map((caller) => tryAs(caller, route)));
    expect(Object.fromEntries(CALLERS.map((caller, index) => [caller, statuses[index]]))).toEqual(
      Object.fromEntries(CALLERS.map((caller, index) => [caller, expected[index]])),
    );
  });
});

test('the managers’ list opens to an agent that asks for its own conversations, and for no other’s', async () => {
  expect(await tryAs('owner', 'GET /v1.0/conversations', `?owner_id=${owner.id}`)).toBe(200);
  expect(await tryAs('other', 'GET /v1.0/conversations', `?owner_id=${owner.id}`)).toBe(403);
});
