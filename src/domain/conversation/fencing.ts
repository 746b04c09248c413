import type { Micros } from '../time.ts';
import { isFencedOut } from './decide-change.ts';
import { decideDeliveryNews } from './decide-message.ts';
import type { NewConversationEvent } from './events.ts';
import type { ConversationState, Message, ProviderError } from './state.ts';

/**
 * Why a message that was accepted earlier may not go to the provider any more, or null. What was accepted before a conversation
 * ended still goes out: an end is no takeover.
 */
export function whyWithdrawn(state: ConversationState, message: Pick<Message, 'fence'>): ProviderError | null {
  if (state.optOut) return { code: 'CONTACT_OPTED_OUT', text: 'the contact opted out before it was sent' };
  const fenced = state.lifecycle !== 'closed' && isFencedOut(state, message.fence);
  return fenced ? { code: 'MODE_CHANGED', text: 'the conversation was taken over before it was sent' } : null;
}

/** Whether a change of the conversation may forbid sends that it allowed before. */
export const maySendLess = (before: ConversationState, after: ConversationState): boolean =>
  before.modeEpoch !== after.modeEpoch || (after.optOut && !before.optOut);

/** A delivery that waits for its turn, or for its next attempt. */
export interface Waiting {
  message: Message;
  deliveryId: string;
}

export const isWithdrawn = (state: ConversationState, { message }: Waiting): boolean =>
  whyWithdrawn(state, message) !== null;

/** The end of deliveries that a change forbids: they fail, visibly, in the commit that makes the change. */
export const decideWithdrawals = (state: ConversationState, waiting: Waiting[], at: Micros): NewConversationEvent[] =>
  waiting.flatMap(({ message, deliveryId }) => {
    const error = whyWithdrawn(state, message);
    return error === null ? [] : decideDeliveryNews(message, deliveryId, { status: 'failed', error }, at);
  });
