/** One end of a conversation, in the shape of seed 000's `self` and `peer`. */
export interface Address {
  type: AddressType;
  /** E.164 for `tel`, lower case for `email`, the provider's own id otherwise; empty where the account is the address (LINE). */
  target: string;
  /** The person's name as the provider told it, or empty. */
  targetName: string;
  name: string;
  detail: string;
}

const ADDRESS_TYPES = ['tel', 'line', 'email', 'whatsapp', 'messenger', 'chat'] as const;

export type AddressType = (typeof ADDRESS_TYPES)[number];

export const isAddressType = (text: string): text is AddressType => ADDRESS_TYPES.some((type) => type === text);

export const address = (type: AddressType, target: string, targetName = ''): Address => ({
  type,
  target,
  targetName,
  name: '',
  detail: '',
});

/**
 * A telephone number in E.164 (`+` and at most 15 digits), or null when the text is none.
 * Short codes and alphanumeric senders ("BANK") are no E.164: they are kept as written, so that their messages are not lost.
 */
export function normalizeTel(text: string): string | null {
  const trimmed = text.trim();
  const digits = trimmed.replace(/[\s().-]/g, '');
  if (/^\+[1-9]\d{1,14}$/.test(digits)) return digits;
  if (/^00[1-9]\d{5,14}$/.test(digits)) return `+${digits.slice(2)}`;
  if (/^\d{3,8}$/.test(digits) || /^[A-Za-z0-9 ]{2,11}$/.test(trimmed)) return trimmed;
  return null;
}

/** What identifies the pair of addresses that one AddressObject guards. */
export interface AddressKey {
  customerId: string;
  /** The conversation's type: `message`, `line`, … Providers of one channel share it, so a number may change its provider. */
  channel: string;
  ours: string;
  theirs: string;
}

/** The parts joined without ambiguity; it is hashed before it becomes an object's name, because names show up in logs. */
export const addressKeyText = (key: AddressKey): string =>
  JSON.stringify([key.customerId, key.channel, key.ours, key.theirs]);
