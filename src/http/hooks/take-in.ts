import type { Channel, HookInbound } from '../../channels/contract.ts';
import type { InboundItem, Opening, ReceiveCommand } from '../../domain/conversation/commands.ts';
import type { Address } from '../../domain/addresses.ts';
import type { Received } from '../../objects/conversation/receive.ts';
import { callObject, getAddress, getConversation } from '../../objects/stubs.ts';
import type { Account } from '../../storage/accounts.ts';
import { findTimeouts } from '../../storage/customers.ts';

/** How often a conversation may end between finding it and reaching it. */
const MAX_ROLLOVERS = 5;

/**
 * Brings what a contact did into its conversation, durably, before it returns: one conversation per pair of addresses,
 * one message per provider id. A conversation that is over is followed by the next one.
 * @throws when an object does not answer: the provider gets a 500 and delivers again.
 */
export async function takeIn(
  env: Env,
  account: Account,
  channel: Channel,
  inbound: HookInbound,
  publicUrl: string,
): Promise<Received> {
  const self = channel.self(account);
  const key = {
    customerId: account.customerId,
    channel: channel.conversationType,
    ours: self.key,
    theirs: inbound.peer.target,
  };
  const address = async () => getAddress(env, key);
  const messageId = crypto.randomUUID();
  const settings = { ...(await findTimeouts(env, account.customerId)), publicUrl };
  const claim = await callObject(async () => (await address()).resolve(crypto.randomUUID()));
  let conversationId = (await answeredBefore(env, inbound, claim.predecessor)) ?? claim.conversationId;
  for (let rollovers = 0; rollovers < MAX_ROLLOVERS; rollovers += 1) {
    const opening = openingOf(account, channel, inbound, self.address, conversationId);
    const command: ReceiveCommand = {
      opening,
      item: itemOf(inbound, messageId, mediaBase(publicUrl, conversationId, messageId)),
      settings,
    };
    const received = await callObject(() => getConversation(env, conversationId).receive(command));
    if (received.ok) return received.value;
    const over = conversationId;
    const next = await callObject(async () => (await address()).advance(over, crypto.randomUUID()));
    conversationId = next.conversationId;
  }
  throw new Error('conversations close faster than they open');
}

/** A late redelivery, or an `unsend`, of something that the conversation before this one has. */
async function answeredBefore(env: Env, inbound: HookInbound, predecessor: string | null): Promise<string | null> {
  if (predecessor === null) return null;
  const key = inbound.item.kind === 'redaction' ? inbound.item.targetKey : inbound.item.dedupeKey;
  return (await callObject(() => getConversation(env, predecessor).knows(key))) ? predecessor : null;
}

function openingOf(
  account: Account,
  channel: Channel,
  inbound: HookInbound,
  self: Address,
  conversationId: string,
): Opening {
  const { peer, dialogId } = inbound;
  const shown = peer.targetName || peer.target || 'Unknown';
  return {
    conversationId,
    customerId: account.customerId,
    accountId: account.id,
    type: channel.conversationType,
    dialogId,
    name: `${channel.label} · ${shown}`,
    detail: `${channel.label} conversation`,
    self,
    peer,
  };
}

const mediaBase = (publicUrl: string, conversationId: string, messageId: string): string =>
  `${publicUrl}/v1.0/conversations/${conversationId}/messages/${messageId}/medias`;

/** The item with its message's id, and with our own URL where only the account's credentials open the provider's. */
function itemOf(inbound: HookInbound, messageId: string, base: string): InboundItem {
  const { item } = inbound;
  if (item.kind !== 'message') return item;
  const medias = item.medias.map((media, index) =>
    media.providerRef === '' ? media : { ...media, url: `${base}/${index}` },
  );
  return { ...item, messageId, medias };
}
