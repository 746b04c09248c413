import { addressText, holderOf, isTrusted, type ContactAddress } from './participants.ts';
import type { ConversationState, Message } from './state.ts';

/**
 * Whether a visitor of the web chat may see a message of its conversation. What it has typed of itself proves nothing (spec section 11),
 * so it sees what went over the chat, and only after a proof what its person wrote and got elsewhere.
 */
export function isVisibleTo(state: ConversationState, visitor: ContactAddress, message: Message): boolean {
  const own = isTrusted(state, visitor) ? (holderOf(state, visitor)?.addresses ?? []) : [visitor];
  const isOwn = (type: string, target: string) => own.some((one) => addressText(one) === `${type}:${target}`);
  if (message.direction === 'incoming') {
    return message.sender.type === 'contact' && isOwn(message.source.type, message.source.target);
  }
  return message.deliveries.some(({ channel, target }) =>
    own.some((one) => isBy(one, channel) && one.target === target),
  );
}

/** A telephone number is reached by SMS, everything else by the channel of its own name. */
const isBy = ({ type }: ContactAddress, channel: string): boolean => (type === 'tel' ? 'message' : type) === channel;
