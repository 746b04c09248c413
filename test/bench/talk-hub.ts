import { SECRETS, startRuntime, type Call, type Json } from './runtime.ts';
import type { BenchTarget, Room } from './talk-place.ts';

const TALKS = '/v1.0/service_agents/talk_chats';
const PASSWORD = 'a-password-for-the-bench';
/** Whose the readers' sockets are: a password takes 0.2 s to hash, so not every socket has an agent of its own. */
const READING_AGENTS = 10;
const SETTLE_MS = 120_000;

interface Agent {
  id: string;
  token: string;
}

/** Groups in the hub. Every writer is an agent of its own. */
export async function startTalkHub(writers: number): Promise<BenchTarget> {
  const { origin, call, stop } = await startRuntime();
  const who = { name: 'Bench', username: 'bench@localhost', password: PASSWORD };
  const { accesskey } = await call('POST', '/v1.0/customers', SECRETS.BOOTSTRAP_TOKEN, who);
  const agents: Agent[] = [];
  for (let index = 0; index < READING_AGENTS + writers; index += 1) {
    agents.push(await newAgent(call, accesskey.token, `agent${index}@localhost`));
  }
  return { newRoom: () => newRoom(origin, call, agents), stop };
}

async function newAgent(call: Call, key: string, username: string): Promise<Agent> {
  const { id } = await call('POST', '/v1.0/agents', key, { username, password: PASSWORD });
  const { token } = await call('POST', '/auth/login', key, { username, password: PASSWORD });
  return { id, token };
}

async function newRoom(origin: string, call: Call, agents: Agent[]): Promise<Room> {
  const token = agents[0]?.token ?? '';
  const talk = await call('POST', TALKS, token, { type: 'group', participant_ids: agents.map(({ id }) => id) });
  const url = new URL(`${origin}${TALKS}/${talk.id}/ws?batch=1`);
  const doorOf = (agent: Agent | undefined) => ({ url, headers: { Authorization: `Bearer ${agent?.token}` } });
  return {
    reader: (index) => doorOf(agents[index % READING_AGENTS]),
    writer: (index) => doorOf(agents[READING_AGENTS + index]),
    wantsAcks: true,
    settled: () => settled(call, token, talk.id),
  };
}

/** Until D1 has all that the talk has. */
async function settled(call: Call, token: string, id: string): Promise<void> {
  const deadline = performance.now() + SETTLE_MS;
  while (performance.now() < deadline) {
    const { sequence } = await call('GET', `${TALKS}/${id}`, token);
    const { result } = await call('GET', TALKS, token);
    if (result.find((talk: Json) => talk.id === id)?.sequence === sequence) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the lists are still behind, ${SETTLE_MS / 1000} s after the last message`);
}
