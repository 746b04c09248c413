import { isKeyWorking } from './access-keys.ts';
import { findSignedIn } from './agents.ts';

/** Who holds a live stream open (objects/session-protocol.ts); named by what can be revoked. */
export type StreamReader =
  | { kind: 'agent'; customerId: string; agentId: string; version: number }
  | { kind: 'accesskey'; customerId: string; keyId: string };

/** Whether the credential behind a stream still stands. @throws while D1 does not answer and nothing is known. */
export async function isReaderAllowed(env: Env, reader: StreamReader): Promise<boolean> {
  if (reader.kind === 'accesskey') return isKeyWorking(env, reader.keyId);
  const agent = await findSignedIn(env, reader.agentId);
  return agent !== null && agent.customerId === reader.customerId && agent.tokenVersion === reader.version;
}
