import { addressText, heldAddresses, type ContactAddress } from './participants.ts';
import { holderOf } from './membership.ts';
import type { ConversationState, Message } from '../state.ts';

/** What a visitor of the web chat may see. What it has typed of itself proves nothing (spec section 11). */

/**
 * The addresses (addressText) whose messages a visitor may see: its own chat, and after a proof what it has proved and what else is verified
 * as that contact's. Somebody else may write from an address that is only assumed or claimed to be the visitor's.
 */
export function visibleAddresses(state: ConversationState, visitor: ContactAddress): string[] {
  const own = addressText(visitor);
  const person = holderOf(state, visitor);
  const held = person ? heldAddresses(person) : [];
  const proved = held.filter(({ provedBy }) => provedBy.includes(own));
  if (proved.length === 0) return [own];
  const verified = held.filter(({ standing }) => standing === 'verified');
  return [...new Set([own, ...[...proved, ...verified].map(addressText)])];
}

/** Whether somebody who may see the messages of these addresses may see this one. */
export function isVisibleTo(addresses: readonly string[], message: Message): boolean {
  if (message.direction === 'outgoing') return message.deliveries.some((each) => isTo(addresses, each));
  const { type, target } = message.source;
  return message.sender.type === 'contact' && addresses.includes(`${type}:${target}`);
}

/** A telephone number is reached by SMS, everything else by the channel of its own name. */
const isTo = (addresses: readonly string[], { channel, target }: Message['deliveries'][number]): boolean =>
  addresses.includes(`${channel === 'message' ? 'tel' : channel}:${target}`);
