import type { DeliveryStatus } from '../state.ts';
import type { Micros } from '../../time.ts';

/** How far a contact has received and read what we sent to one of its addresses: the provider's watermarks (Messenger). They only move forward. */
export interface Watermark {
  delivered: Micros;
  read: Micros;
}

export const NO_WATERMARK: Watermark = { delivered: 0, read: 0 };

export const moved = (watermark: Watermark, status: 'delivered' | 'read', until: Micros): Watermark => ({
  ...watermark,
  [status]: Math.max(watermark[status], until),
});

/** What has become of something sent at a time, as far as the watermark tells: it may arrive before the news of the sending. */
export function reachedBy({ delivered, read }: Watermark, sentAt: Micros): DeliveryStatus {
  if (sentAt <= read) return 'read';
  return sentAt <= delivered ? 'delivered' : 'sent';
}
