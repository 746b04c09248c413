import { z } from 'zod';
import type { AccountCredentials } from './contract.ts';

/** Credentials travel in HTTP headers and key signatures, where a line break pasted along would break every request. */
export const credentialSchema = z
  .string({ error: 'is required' })
  .min(1, 'is required')
  .max(1000)
  .regex(/^[\x21-\x7e]*$/, 'must be printable characters without spaces');

/** For a provider that needs none: what is given is not kept. */
export const unusedCredential = z
  .string()
  .default('')
  .transform(() => '');

/** One text of the account's provider data; its schema was checked when the account was saved. */
export function providerText(account: AccountCredentials, key: string): string {
  const value = account.providerData[key];
  return typeof value === 'string' ? value : '';
}
