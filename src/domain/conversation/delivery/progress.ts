import { progressOf, type DeliveryStatus, type MessageProgress } from './delivery-status.ts';
import type { Delivery } from '../state.ts';

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

/** Whether a change of its deliveries is the first news that a message was sent: one that came back and went another way was sent before. */
export const becameDone = (before: readonly Delivery[], after: readonly Delivery[]): boolean =>
  progressOfMessage(after) === 'done' && progressOfMessage(before.map(atItsBest)) !== 'done';

const atItsBest = (delivery: Delivery): Delivery =>
  delivery.status === 'failed' && (delivery.sentAt ?? null) !== null ? { ...delivery, status: 'sent' } : delivery;
