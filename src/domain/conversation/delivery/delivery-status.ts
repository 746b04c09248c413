import { DELIVERY_STATUSES, type DeliveryStatus, type Delivery } from '../state.ts';

const rank = (status: DeliveryStatus): number => DELIVERY_STATUSES.indexOf(status);

export const joinStatus = (a: DeliveryStatus, b: DeliveryStatus): DeliveryStatus => (rank(a) >= rank(b) ? a : b);

/** What a whole message looks like from outside: seed 000's `progressing`, `done`, `failed`. */
export type MessageProgress = 'progressing' | 'done' | 'failed';

/** Progressing while any delivery is under way; failed only when none got through. */
export function progressOf(statuses: readonly DeliveryStatus[]): MessageProgress {
  if (statuses.some((status) => status === 'queued' || status === 'sending')) return 'progressing';
  return statuses.every((status) => status === 'failed') && statuses.length > 0 ? 'failed' : 'done';
}

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
