import type { IdempotencyClaim } from '../../domain/conversation/commands.ts';
import type { Message } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import { err, type Result } from '../../domain/result.ts';
import { callObject, getConversation, getRequestKey } from '../../objects/stubs.ts';

type Sent = Result<Message, Refusal>;

/** What the conversation answered to the request of this key before; null: nothing yet. */
export const earlierAnswer = (
  env: Env,
  customerId: string,
  conversationId: string,
  claim: IdempotencyClaim,
): Promise<Sent | null> => callObject(() => getConversation(env, conversationId).answered(customerId, claim));

/** The same of a request that names a contact and no conversation. */
export async function earlierAnswerToContact(
  env: Env,
  customerId: string,
  claim: IdempotencyClaim,
): Promise<Sent | null> {
  const key = await getRequestKey(env, customerId, claim.key);
  const holder = await callObject(() => key.holder());
  return holder === null ? null : earlierAnswer(env, customerId, holder, claim);
}

/**
 * Sends the request of one key, which names no conversation itself, in one conversation only: where another one has accepted it, that one
 * answers.
 */
export async function sendOnce(
  env: Env,
  customerId: string,
  conversationId: string,
  claim: IdempotencyClaim,
  send: () => Promise<Sent>,
): Promise<Sent> {
  const key = await getRequestKey(env, customerId, claim.key);
  const holder = await callObject(() => key.claim(conversationId, claim.fingerprint));
  if (holder === null) return err({ code: 'IDEMPOTENCY_KEY_REUSED' });
  const earlier = await earlierAnswer(env, customerId, holder, claim);
  if (earlier) return earlier;
  if (holder !== conversationId) {
    await callObject(() => key.release(holder));
    return sendOnce(env, customerId, conversationId, claim, send);
  }
  const sent = await send();
  if (!sent.ok) await callObject(() => key.release(holder));
  return sent;
}
