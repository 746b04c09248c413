import { jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import { utf8 } from './encoding.ts';

/** The claims of an agent's token. Permissions are not in it: they are looked up, so that a change takes effect immediately. */
const claimsSchema = z.object({ sub: z.uuid(), customer: z.uuid(), version: z.number().int() });

export type AgentClaims = { agentId: string; customerId: string; version: number };

const ISSUER = 'parley';

/** A JWT (HS256) that expires after seven days, as VoIPBIN's does. */
export const signAgentToken = (claims: AgentClaims, secret: string, nowMs: number): Promise<string> =>
  new SignJWT({ customer: claims.customerId, version: claims.version })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuer(ISSUER)
    .setSubject(claims.agentId)
    .setIssuedAt(Math.floor(nowMs / 1000))
    .setExpirationTime(Math.floor(nowMs / 1000) + TOKEN_SECONDS)
    .sign(utf8(secret));

export const TOKEN_SECONDS = 7 * 24 * 3600;

/** The claims of a valid, unexpired token; null for everything else. */
export async function readAgentToken(token: string, secret: string): Promise<AgentClaims | null> {
  try {
    const { payload } = await jwtVerify(token, utf8(secret), { algorithms: ['HS256'], issuer: ISSUER });
    const claims = claimsSchema.parse(payload);
    return { agentId: claims.sub, customerId: claims.customer, version: claims.version };
  } catch {
    return null;
  }
}
