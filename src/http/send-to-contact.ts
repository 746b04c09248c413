import { accepted, commandFor, type Carrier, type WantedMessage } from './accept-message.ts';
import type { AppContext } from './context.ts';
import { inOpenConversation } from './open-conversation.ts';
import type { Address } from '../domain/addresses.ts';
import type { Message } from '../domain/conversation/state.ts';
import { callObject, getConversation } from '../objects/stubs.ts';

/**
 * A message to a contact, in its open conversation or in one that the message begins: both or neither.
 * @throws what the channel or the conversation refuses, as ApiError.
 */
export async function sendToContact(
  c: AppContext,
  carrier: Carrier,
  peer: Address,
  wanted: WantedMessage,
): Promise<Message> {
  const command = await commandFor(c, carrier, wanted);
  const sent = await inOpenConversation(
    c.env,
    carrier,
    { peer, dialogId: peer.target },
    {
      // A key that was used there is answered there, closed as it is: the request is repeated, not made anew.
      doneBefore: (predecessor) => Promise.resolve(command.idempotency && predecessor),
      attempt: (first) => callObject(() => getConversation(c.env, first.conversationId).send({ ...command, first })),
    },
  );
  return accepted(c, carrier, sent);
}
