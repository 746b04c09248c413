import type { AppContext } from './context.ts';
import { valueOf } from './errors.ts';
import { idempotencyOf } from './once.ts';
import type { IdempotencyClaim } from '../domain/conversation/commands.ts';
import type { Message } from '../domain/conversation/state.ts';
import { callObject, getConversation, getRequestKey } from '../objects/stubs.ts';

/** Of requests that name a contact, not a conversation: those of one customer under one key. */
export const requestKeyOf = (c: AppContext, claim: IdempotencyClaim) =>
  getRequestKey(c.env, c.get('principal').customerId, claim.key);

/**
 * A request that fails before a conversation was asked, for what has changed since its first time (an account, an agent, a template),
 * is still answered as it was then. `find` names the conversation that may have taken it.
 */
export async function replayEarlierAnswer(
  c: AppContext,
  find: (claim: IdempotencyClaim) => Promise<string | null>,
  attempt: () => Promise<Message>,
): Promise<Message> {
  try {
    return await attempt();
  } catch (error) {
    const earlier = await answeredBefore(c, find);
    if (earlier) return earlier;
    throw error;
  }
}

async function answeredBefore(c: AppContext, find: (claim: IdempotencyClaim) => Promise<string | null>) {
  const claim = await idempotencyOf(c);
  const conversationId = claim && (await find(claim));
  if (!claim || !conversationId) return null;
  const { customerId } = c.get('principal');
  const earlier = await callObject(() => getConversation(c.env, conversationId).answered(customerId, claim));
  return earlier && valueOf(earlier);
}
