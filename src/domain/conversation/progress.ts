import { progressOf, type DeliveryStatus, type MessageProgress } from '../delivery-status.ts';
import type { Delivery } from './state.ts';

/** Where a whole message is. A delivery that went another way after one that failed, or that nobody saw, counts with that one. */
export function progressOfMessage(deliveries: readonly Delivery[]): MessageProgress {
  const firsts = deliveries.filter(({ fallbackFor }) => fallbackFor === undefined);
  return progressOf(firsts.map((first) => chainStatus(first, deliveries)));
}

function chainStatus(first: Delivery, deliveries: readonly Delivery[]): DeliveryStatus {
  const next = deliveries.find(({ fallbackFor }) => fallbackFor === first.id);
  // What a visitor has not looked at is there all the same, whatever becomes of the mail about it.
  return next && first.status === 'failed' ? chainStatus(next, deliveries) : first.status;
}
