import { jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import { utf8 } from './encoding.ts';
import { DAY, SECOND, type Millis } from '../domain/time.ts';

const claimsSchema = z.object({ sub: z.uuid(), name: z.string(), email: z.string() });

/** Somebody who writes by the widget. What it has proved is kept by its AddressObject. */
export interface Visitor {
  /** Its address there. */
  id: string;
  /** As it was typed: nobody has proved it. */
  name: string;
  email: string;
}

const ISSUER = 'parley-visitor';
const LIFE_MS = 400 * DAY;

/** A JWT (HS256) of our own, good for one account; each session makes a new one, so who comes back within 400 days stays known. */
export const signVisitor = (visitor: Visitor, accountId: string, secret: string, now: Millis): Promise<string> =>
  new SignJWT({ name: visitor.name, email: visitor.email })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuer(ISSUER)
    .setAudience(accountId)
    .setSubject(visitor.id)
    .setExpirationTime(Math.floor((now + LIFE_MS) / SECOND))
    .sign(utf8(secret));

/** Null for every token that is not ours, of another account, or too old. */
export async function readVisitor(token: string, accountId: string, secret: string): Promise<Visitor | null> {
  try {
    const options = { algorithms: ['HS256'], issuer: ISSUER, audience: accountId };
    const { sub, ...claims } = claimsSchema.parse((await jwtVerify(token, utf8(secret), options)).payload);
    return { id: sub, ...claims };
  } catch {
    return null;
  }
}
