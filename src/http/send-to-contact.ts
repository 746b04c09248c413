import { accepted, commandFor, type ResolvedAccount, type WantedMessage } from './accept-message.ts';
import type { AppContext } from './context.ts';
import type { KeyedRequest } from './once.ts';
import { inOpenConversation } from './open-conversation.ts';
import type { Address } from '../domain/addresses.ts';
import type { Opening } from '../domain/conversation/commands.ts';
import type { Message } from '../domain/conversation/state.ts';
import { callObject, getConversation } from '../objects/stubs.ts';

/**
 * A message to a contact, in its open conversation or in one that the message begins: both or neither. `goesTo` is told which
 * conversation that is, before it is asked.
 * @throws what the channel or the conversation refuses, as ApiError.
 */
export async function sendToContact(
  c: AppContext,
  resolved: ResolvedAccount,
  peer: Address,
  wanted: WantedMessage,
  { goesTo }: KeyedRequest,
): Promise<Message> {
  const command = await commandFor(c, resolved, wanted);
  const contact = { peer, dialogId: peer.target };
  const attempt = async (first: Opening) => {
    await goesTo(first.conversationId);
    return callObject(() => getConversation(c.env, first.conversationId).send({ ...command, first }));
  };
  const sent = await inOpenConversation(c.env, resolved, contact, { doneBefore: () => Promise.resolve(null), attempt });
  return accepted(c, resolved, sent);
}
