import { accepted, commandFor, type Carrier, type WantedMessage } from './accept-message.ts';
import type { AppContext } from './context.ts';
import { MAX_ROLLOVERS, openingOf } from './hooks/take-in.ts';
import type { Address } from '../domain/addresses.ts';
import type { Message } from '../domain/conversation/state.ts';
import { addressName, callObject, getConversation } from '../objects/stubs.ts';

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
  const { account, channel } = carrier;
  const command = await commandFor(c, carrier, wanted);
  const self = channel.self(account);
  const pair = { channel: channel.conversationType, ours: self.key, theirs: peer.target };
  const name = await addressName({ customerId: account.customerId, ...pair });
  const address = () => c.env.ADDRESS.getByName(name);
  let claim = await callObject(() => address().resolve(crypto.randomUUID()));
  for (let rollovers = 0; rollovers < MAX_ROLLOVERS; rollovers += 1) {
    const { conversationId, optOut } = claim;
    const begin = openingOf(account, channel, { peer, dialogId: peer.target }, self.address, conversationId);
    const first = { opening: { ...begin, optOut }, addressName: name };
    const sent = await callObject(() => getConversation(c.env, conversationId).send({ ...command, first }));
    if (sent.ok || sent.error.code !== 'CONVERSATION_CLOSED') return accepted(c, carrier, sent);
    claim = await callObject(() => address().advance(conversationId, crypto.randomUUID()));
  }
  throw new Error('conversations close faster than they open');
}
