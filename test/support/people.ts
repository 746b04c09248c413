import { env } from 'cloudflare:workers';
import { signAgentToken } from '../../src/security/agent-token.ts';
import { callWith, type Call, type Hub } from './hub.ts';
import { openSocket, type LiveSocket } from './live.ts';

/** An agent of a test's customer, with a token. */
export interface Person {
  id: string;
  username: string;
  name: string;
  token: string;
  call: Call;
  socket: (talkId: string, query?: string) => Promise<LiveSocket>;
}

/** Inserts agents directly into the directory: hashing a hundred passwords would take longer than the tests that use them. */
export async function newPeople(hub: Hub, names: string[], permission = 16): Promise<Person[]> {
  const insert = env.DB.prepare(
    `INSERT INTO agents (id, customer_id, username, name, detail, password_hash, permission, status, token_version, created_at, updated_at)
     VALUES (?, ?, ?, ?, '', '', ?, 'offline', 1, ?, 0)`,
  );
  const people = await Promise.all(names.map((name) => newPerson(hub, name)));
  await env.DB.batch(
    people.map(({ id, username, name }, index) =>
      insert.bind(id, hub.customerId, username, name, permission, Date.now() * 1000 + index),
    ),
  );
  return people;
}

async function newPerson(hub: Hub, name: string): Promise<Person> {
  const id = crypto.randomUUID();
  const claims = { agentId: id, customerId: hub.customerId, version: 1 };
  const token = await signAgentToken(claims, env.JWT_SECRET, Date.now());
  const headers = { authorization: `Bearer ${token}` };
  return {
    id,
    username: `${name.toLowerCase().replaceAll(' ', '.')}@${id}.example`,
    name,
    token,
    call: callWith(token),
    socket: (talkId, query = '') => openSocket(`/v1.0/service_agents/talk_chats/${talkId}/ws${query}`, headers),
  };
}
