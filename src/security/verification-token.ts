import { jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import { utf8 } from './encoding.ts';
import { HOUR, SECOND, type Millis } from '../domain/time.ts';

/** Which visitor claims which e-mail address. The token is mailed there, so whoever opens its link can read that mailbox. */
const claimsSchema = z.object({ sub: z.uuid(), email: z.email() });

const ISSUER = 'parley-verification';
const LIFE_MS = HOUR;

export const signVerification = (
  { visitorId, email }: { visitorId: string; email: string },
  accountId: string,
  secret: string,
  now: Millis,
): Promise<string> =>
  new SignJWT({ email })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuer(ISSUER)
    .setAudience(accountId)
    .setSubject(visitorId)
    .setExpirationTime(Math.floor((now + LIFE_MS) / SECOND))
    .sign(utf8(secret));

/** Null for a token that is invalid, expired, or of another account. */
export async function readVerification(
  token: string,
  accountId: string,
  secret: string,
): Promise<{ visitorId: string; email: string } | null> {
  try {
    const options = { algorithms: ['HS256'], issuer: ISSUER, audience: accountId };
    const { sub, email } = claimsSchema.parse((await jwtVerify(token, utf8(secret), options)).payload);
    return { visitorId: sub, email };
  } catch {
    return null;
  }
}
