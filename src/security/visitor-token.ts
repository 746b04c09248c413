import { jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import { utf8 } from './encoding.ts';
import { DAY, SECOND, type Millis } from '../domain/time.ts';

const claimsSchema = z.object({ sub: z.uuid(), name: z.string(), email: z.string() });

/** Somebody who writes through the widget. The addresses that a visitor has proved are kept in the visitor's AddressObject. */
export interface Visitor {
  /** The visitor's address on the account's chat channel. */
  id: string;
  /** As the visitor typed it, like `email`: neither is verified. */
  name: string;
  email: string;
}

const ISSUER = 'parley-visitor';
const LIFE_MS = 400 * DAY;

/** A JWT (HS256) for one account. Each session issues a new one, so a visitor who returns within 400 days stays known. */
export const signVisitor = (visitor: Visitor, accountId: string, secret: string, now: Millis): Promise<string> =>
  new SignJWT({ name: visitor.name, email: visitor.email })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuer(ISSUER)
    .setAudience(accountId)
    .setSubject(visitor.id)
    .setExpirationTime(Math.floor((now + LIFE_MS) / SECOND))
    .sign(utf8(secret));

/** Null for a token that is invalid, expired, or of another account. */
export async function readVisitor(token: string, accountId: string, secret: string): Promise<Visitor | null> {
  try {
    const options = { algorithms: ['HS256'], issuer: ISSUER, audience: accountId };
    const { sub, ...claims } = claimsSchema.parse((await jwtVerify(token, utf8(secret), options)).payload);
    return { id: sub, ...claims };
  } catch {
    return null;
  }
}
