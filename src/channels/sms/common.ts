import { z } from 'zod';
import { address, normalizeTel, type Address } from '../../domain/addresses.ts';
import { isUuid } from '../../domain/ids.ts';
import type { AccountCredentials, Channel } from '../contract.ts';
import { providerText } from '../credentials.ts';
import { segments } from './segments.ts';

/** Our own number. Strictly E.164: two spellings of one number would be two sets of conversations. */
export const numberSchema = z.string({ error: 'is required' }).transform((text, context) => {
  const number = normalizeTel(text);
  if (number?.startsWith('+')) return number;
  context.addIssue({ code: 'custom', message: 'must be a telephone number in E.164, such as +821012345678' });
  return z.NEVER;
});

/** What all SMS providers have in common: a number may change its provider and keep its conversations. */
export const smsChannel = {
  accountType: 'sms',
  conversationType: 'message',
  label: 'SMS',
  segments,
  self(account: AccountCredentials) {
    const number = providerText(account, 'number');
    return { address: address('tel', number), key: number };
  },
} satisfies Partial<Channel>;

/** A sender that is no telephone number ("BANK", a short code) is kept as written, so that its message is not lost. */
export const telAddress = (text: string): Address => address('tel', normalizeTel(text) ?? text);

export const EMPTY_MESSAGE = '[empty message]';

/** Which delivery a status callback is about, from the URL that we gave; null when the URL is not one of ours. */
export function receiptTarget(url: string): { conversationId: string; deliveryId: string } | null {
  const query = URL.canParse(url) ? new URL(url).searchParams : new URLSearchParams();
  const conversationId = query.get('conversation') ?? '';
  const deliveryId = query.get('delivery') ?? '';
  return isUuid(conversationId) && isUuid(deliveryId) ? { conversationId, deliveryId } : null;
}
