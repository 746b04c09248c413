import type { DeliveryNews } from '../commands.ts';
import { decideConsent, decideWindowClosed } from '../decide-change.ts';
import type { NewConversationEvent } from '../events.ts';
import { findBinding, activeBinding } from '../identity/bindings.ts';
import type { ConversationState, Message } from '../state.ts';
import type { Micros } from '../../time.ts';

/** What a provider's refusal of one delivery says of the contact, beside that the message failed. */
export interface ProviderSignal {
  /** The name of the address that the refusal is about. */
  addressName: string;
  events: NewConversationEvent[];
  /** Whether the contact's consent ended with it. */
  optedOut: boolean;
}

/**
 * A refusal is as old as the message that it is about: if the contact gave its consent after that message, the refusal changes nothing.
 * `consentAt`: when the contact's consent at that address was last changed.
 */
export function decideProviderSignal(
  state: ConversationState,
  message: Message,
  deliveryId: string,
  news: DeliveryNews,
  consentAt: (addressName: string) => Micros,
  at: Micros,
): ProviderSignal {
  const named = message.deliveries.find(({ id }) => id === deliveryId)?.addressName ?? '';
  const binding = findBinding(state, named) ?? activeBinding(state);
  const { addressName, heardAt } = binding;
  const isOptOut = news.optedOut === true && message.createdAt > consentAt(addressName);
  const optOut = isOptOut ? decideConsent(state, addressName, true, at) : [];
  const isWindow = news.windowClosed === true && message.createdAt > heardAt;
  const shut = isWindow ? decideWindowClosed(state, addressName, at) : [];
  return { addressName, events: [...optOut, ...shut], optedOut: optOut.length > 0 };
}
