import type { AppContext } from './context.ts';
import { valueOf } from './errors.ts';
import { idempotencyOf } from './once.ts';
import type { IdempotencyClaim } from '../domain/conversation/commands.ts';
import type { Message } from '../domain/conversation/state.ts';
import { callObject, getConversation } from '../objects/stubs.ts';

/**
 * A request that fails before its conversation was asked, for what has changed since its first time (an account, an agent, a template),
 * is still answered as it was then.
 */
export async function replayEarlierAnswer(
  c: AppContext,
  conversationId: string,
  attempt: () => Promise<Message>,
): Promise<Message> {
  try {
    return await attempt();
  } catch (error) {
    const claim = await idempotencyOf(c);
    const earlier = claim && (await earlierAnswerIn(c, conversationId, claim));
    if (earlier) return earlier;
    throw error;
  }
}

/** What the conversation answered to this request before, or null. @throws its refusal, as ApiError. */
export async function earlierAnswerIn(
  c: AppContext,
  conversationId: string,
  claim: IdempotencyClaim,
): Promise<Message | null> {
  const { customerId } = c.get('principal');
  const earlier = await callObject(() => getConversation(c.env, conversationId).answered(customerId, claim));
  return earlier && valueOf(earlier);
}
