import type { HookReceipt, Outbound } from '../contract.ts';
import { isUuid } from '../../domain/ids.ts';

type Mark = Pick<HookReceipt, 'conversationId' | 'deliveryId'>;

/** What we write into a message for Meta to bring back: which delivery it is. */
export const writeMark = ({ conversationId, deliveryId }: Pick<Outbound, keyof Mark>): string =>
  `${conversationId}.${deliveryId}`;

/** Null for what is not ours. */
export function readMark(text: string): Mark | null {
  const [conversationId = '', deliveryId = ''] = text.split('.');
  return isUuid(conversationId) && isUuid(deliveryId) ? { conversationId, deliveryId } : null;
}
