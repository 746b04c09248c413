import { jwtVerify } from 'jose';
import { z } from 'zod';
import { utf8 } from './encoding.ts';
import { normalizeTel } from '../domain/addresses.ts';

/** Who a visitor is, as vouched for by the customer's own site. At least one address is set. */
const identitySchema = z.object({
  name: z.string().max(255).default(''),
  email: z
    .union([z.literal(''), z.email().max(254)])
    .default('')
    .transform((text) => text.toLowerCase()),
  /** E.164 */
  phone_number: z
    .string()
    .max(32)
    .default('')
    .transform((text) => (text === '' ? '' : (normalizeTel(text) ?? '')))
    .refine((text) => text === '' || text.startsWith('+')),
});

export type Identity = z.infer<typeof identitySchema>;

const provedSchema = identitySchema.refine(({ email, phone_number }) => email !== '' || phone_number !== '');

/**
 * A JWT (HS256, with `exp`) that the customer's site has signed with the account's secret: `{email?, phone_number?, name?, exp}`
 * (spec section 11). Null for everything else; a token without `exp` is refused, because it would be valid forever.
 */
export async function readIdentity(token: string, secret: string): Promise<Identity | null> {
  if (secret === '') return null;
  try {
    const { payload } = await jwtVerify(token, utf8(secret), { algorithms: ['HS256'], requiredClaims: ['exp'] });
    return provedSchema.parse(payload);
  } catch {
    return null;
  }
}
