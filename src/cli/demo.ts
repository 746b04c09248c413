import { call, textAt } from './api.ts';
import { type Marker, readMarker, writeMarker } from './marker.ts';

const ADMIN = 'admin@localhost';
const AGENTS = [
  { username: 'manager@localhost', permission: 64, name: 'Manager' },
  { username: 'agent1@localhost', permission: 16, name: 'Agent 1' },
  { username: 'agent2@localhost', permission: 16, name: 'Agent 2' },
];
const ACCOUNT = {
  type: 'sms',
  name: 'Sandbox SMS',
  detail: '',
  provider_data: { provider: 'sandbox', number: '+15550100000' },
};

export const logins: string[] = [ADMIN, ...AGENTS.map(({ username }) => username)];

/** Seeds the demo customer once per database and returns how to use it; null if it exists but its key is not known here. */
export async function ensureDemo(origin: string, bootstrapToken: string, file: string): Promise<Marker | null> {
  const marker = (await knownMarker(origin, file)) ?? (await createCustomer(origin, bootstrapToken));
  if (!marker || marker.accountId) return marker;
  // Written before the rest is created: an interrupted seeding continues from here, and the key is shown only once.
  writeMarker(file, marker);
  const complete = { ...marker, accountId: await createRest(origin, marker.accessKey) };
  writeMarker(file, complete);
  return complete;
}

/** A marker that outlived its database, or whose key was revoked, is worthless. */
async function knownMarker(origin: string, file: string): Promise<Marker | null> {
  const marker = readMarker(file);
  if (!marker) return null;
  const { status } = await call(`${origin}/v1.0/customers`, marker.accessKey);
  return status === 401 || status === 403 ? null : marker;
}

async function createCustomer(origin: string, bootstrapToken: string): Promise<Marker | null> {
  const body = { name: 'Demo', username: ADMIN, password: ADMIN };
  const answer = await call(`${origin}/v1.0/customers`, bootstrapToken, { body, key: 'parley-demo-customer' });
  if (answer.status === 409) return null;
  return { accessKey: textAt(answer, 'accesskey', 'token'), accountId: null };
}

async function createRest(origin: string, accessKey: string): Promise<string> {
  for (const agent of AGENTS) {
    const body = { ...agent, password: agent.username, detail: '' };
    const answer = await call(`${origin}/v1.0/agents`, accessKey, { body, key: `parley-demo-${agent.username}` });
    // 409: created by an earlier, interrupted seeding.
    if (answer.status !== 409) textAt(answer, 'id');
  }
  const post = { body: ACCOUNT, key: 'parley-demo-account' };
  return textAt(await call(`${origin}/v1.0/conversation_accounts`, accessKey, post), 'id');
}
