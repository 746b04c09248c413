import type { IdempotencyClaim } from '../../domain/conversation/commands.ts';
import type { Message } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import type { Result } from '../../domain/result.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';

type Sent = Result<Message, Refusal>;

/** What the conversation answered to the request of this key before; null: nothing yet. */
export const earlierAnswer = (
  env: Env,
  customerId: string,
  conversationId: string,
  claim: IdempotencyClaim,
): Promise<Sent | null> => callObject(() => getConversation(env, conversationId).answered(customerId, claim));
