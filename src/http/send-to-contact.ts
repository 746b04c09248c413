import { accepted, commandFor, type ResolvedAccount, type WantedMessage } from './accept-message.ts';
import type { AppContext } from './context.ts';
import { inOpenConversation } from './open-conversation.ts';
import { requestKeyOf } from './request-keys.ts';
import type { Address } from '../domain/addresses.ts';
import type { Opening, SendCommand } from '../domain/conversation/commands.ts';
import type { Message } from '../domain/conversation/state.ts';
import type { Refusal } from '../domain/errors.ts';
import { err, type Result } from '../domain/result.ts';
import { callObject, getConversation } from '../objects/stubs.ts';

/**
 * A message to a contact, in its open conversation or in one that the message begins: both or neither.
 * @throws what the channel or the conversation refuses, as ApiError.
 */
export async function sendToContact(
  c: AppContext,
  resolved: ResolvedAccount,
  peer: Address,
  wanted: WantedMessage,
): Promise<Message> {
  const command = await commandFor(c, resolved, wanted);
  const contact = { peer, dialogId: peer.target };
  const attempt = (first: Opening) => sendIn(c, first, command);
  const sent = await inOpenConversation(c.env, resolved, contact, { doneBefore: () => Promise.resolve(null), attempt });
  return accepted(c, resolved, sent);
}

/** Where the same request has been taken in, it is answered there: it is repeated, not made anew. */
async function sendIn(c: AppContext, first: Opening, command: SendCommand): Promise<Result<Message, Refusal>> {
  const conversation = (id: string) => getConversation(c.env, id);
  const send = () => callObject(() => conversation(first.conversationId).send({ ...command, first }));
  const { idempotency } = command;
  if (!idempotency) return send();
  const key = await requestKeyOf(c, idempotency);
  const holder = await callObject(() => key.claim(first.conversationId, idempotency.fingerprint));
  if (holder === null) return err({ code: 'IDEMPOTENCY_KEY_REUSED' });
  const earlier = await callObject(() => conversation(holder).answered(command.customerId, idempotency));
  if (earlier) return earlier;
  if (holder !== first.conversationId) {
    await callObject(() => key.release(holder));
    return sendIn(c, first, command);
  }
  const sent = await send();
  if (!sent.ok) await callObject(() => key.release(holder));
  return sent;
}
