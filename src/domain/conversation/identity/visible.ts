import type { Message } from '../state.ts';

/**
 * Whether somebody who may see these addresses' messages (participants.ts, addressesOf) may see this one. What a visitor of the web chat
 * has typed of itself proves nothing (spec section 11), so that this is its own chat, and only after a proof what was proved.
 */
export function isVisibleTo(addresses: readonly string[], message: Message): boolean {
  if (message.direction === 'outgoing') return message.deliveries.some((each) => isTo(addresses, each));
  const { type, target } = message.source;
  return message.sender.type === 'contact' && addresses.includes(`${type}:${target}`);
}

/** A telephone number is reached by SMS, everything else by the channel of its own name. */
const isTo = (addresses: readonly string[], { channel, target }: Message['deliveries'][number]): boolean =>
  addresses.includes(`${channel === 'message' ? 'tel' : channel}:${target}`);
