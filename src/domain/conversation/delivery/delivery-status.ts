/**
 * A delivery's status is the highest rank ever reported, so receipts may come in any order and more than once.
 * `delivered` outranks `failed`: some networks report a failure on one device and a delivery on the next
 * (facts/providers.md 1.4), and what arrived did not fail.
 */
export const DELIVERY_STATUSES = ['queued', 'sending', 'sent', 'failed', 'delivered', 'read'] as const;

export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

const rank = (status: DeliveryStatus): number => DELIVERY_STATUSES.indexOf(status);

export const joinStatus = (a: DeliveryStatus, b: DeliveryStatus): DeliveryStatus => (rank(a) >= rank(b) ? a : b);

/** What a whole message looks like from outside: seed 000's `progressing`, `done`, `failed`. */
export type MessageProgress = 'progressing' | 'done' | 'failed';

/** Progressing while any delivery is under way; failed only when none got through. */
export function progressOf(statuses: readonly DeliveryStatus[]): MessageProgress {
  if (statuses.some((status) => status === 'queued' || status === 'sending')) return 'progressing';
  return statuses.every((status) => status === 'failed') && statuses.length > 0 ? 'failed' : 'done';
}
