import { asKnown, reasonAgainst } from './channel-choice.ts';
import { isFencedOut } from '../decide-change.ts';
import type { NewConversationEvent } from '../events.ts';
import { activate, withBinding } from '../identity/bindings.ts';
import { readsFromLog, newDelivery } from '../decide-message.ts';
import { isReleased } from '../identity/participants.ts';
import { becameDone } from './delivery-status.ts';
import type { ChannelOption, ConversationState, Delivery, Message, DeliveryStatus } from '../state.ts';

import type { Micros } from '../../time.ts';

/** The message takes the next option that still works, and keeps the rest for later. No event when there is none. */
export function decideFallback(
  state: ConversationState,
  message: Message,
  { deliveryId, fallbackOptions, newId }: { deliveryId: string; fallbackOptions: ChannelOption[]; newId: string },
  at: Micros,
): NewConversationEvent[] {
  if (message.deletedAt !== null || isFencedOut(state, message.fence)) return [];
  const wish = { channel: '', isHuman: message.sender.type === 'agent', isTemplate: message.template !== null };
  // Since the options were stored, the contact may have opted out of one, or written by it.
  const known = fallbackOptions.map((option) => asKnown(state, option));
  const index = known.findIndex((option) => maySend(state, option) && reasonAgainst(state, option, wish, at) === null);
  const option = known[index];
  if (!option) return [];
  const learnt = withBinding(state, option.binding);
  const delivery = {
    ...newDelivery(activate(learnt, option.binding), newId, option.segments, at),
    fallbackFor: deliveryId,
  };
  const deliveries = [...message.deliveries, delivery];
  const updated: NewConversationEvent = {
    type: 'message.updated',
    message: { ...message, deliveries, updatedAt: at },
    becameDone: becameDone(message.deliveries, deliveries),
    fallbackOptions: { [newId]: fallbackOptions.slice(index + 1) },
  };
  const learned: NewConversationEvent = { type: 'conversation.updated', conversation: learnt, change: null };
  return learnt === state ? [updated] : [learned, updated];
}

/** A fallback delivery that has not begun and is not needed any more: the one before it has arrived after all. */
export const unneededIn = ({ deliveries }: Message, waiting: readonly string[]): string | null =>
  deliveries.find((each) => waiting.includes(each.id) && gotThereBefore(each, deliveries))?.id ?? null;

/** The error with which it ends. */
export const NOT_NEEDED = { code: 'NOT_NEEDED', text: 'the delivery before it had reached the contact' };

function gotThereBefore({ fallbackFor }: Delivery, all: readonly Delivery[]): boolean {
  const before = all.find(({ id }) => id === fallbackFor);
  return before !== undefined && (ARRIVED.includes(before.status) || gotThereBefore(before, all));
}

const ARRIVED: DeliveryStatus[] = ['delivered', 'read'];

const maySend = (state: ConversationState, { binding }: ChannelOption): boolean =>
  binding.reachable && !isReleased(state, binding.peer);

/** A visitor's answer, as long as the visitor has not been seen to get it. */
export interface PendingFallback {
  messageId: string;
  deliveryId: string;
  dueAt: number;
}

/** As long as somebody takes to come back to the page. Milliseconds. */
export const PENDING_FALLBACK_MS = 60_000;

/** The answers that these events leave for visitors who may have left. */
export const pendingFallbacksIn = (events: NewConversationEvent[], now: number): PendingFallback[] =>
  events.flatMap((event) => {
    if (event.type !== 'message.created' || !event.fallbackOptions) return [];
    const { fallbackOptions, message } = event;
    return message.deliveries
      .filter(({ id, channel }) => readsFromLog(channel) && (fallbackOptions[id]?.length ?? 0) > 0)
      .map(({ id }) => ({ messageId: message.id, deliveryId: id, dueAt: now + PENDING_FALLBACK_MS }));
  });

export const nextPendingFallbackAt = (fallbacks: PendingFallback[]): number | null =>
  fallbacks.length === 0 ? null : Math.min(...fallbacks.map(({ dueAt }) => dueAt));
