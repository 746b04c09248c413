import { getCookie } from 'hono/cookie';
import { createMiddleware } from 'hono/factory';
import type { AppContext, AppEnv } from '../context.ts';
import { ApiError, tooMany } from '../errors.ts';
import { hasRole, type Principal, type Role } from '../../domain/permissions.ts';
import { configOf } from '../../env.ts';
import { readAgentToken } from '../../security/agent-token.ts';
import { hashToken, isAccessKey } from '../../security/tokens.ts';
import { findWorkingKey, isKeyWorking } from '../../storage/access-keys.ts';
import { findSignedIn } from '../../storage/agents.ts';
import { redeemTicket, type Ticket } from '../../storage/tickets.ts';

interface Identity {
  principal: Principal;
  tokenVersion: number;
}

/** Spec section 2: a JWT or an access key, in any of these places. What is named in the request goes before the cookie. */
function credentialOf(c: AppContext): string | null {
  const bearer = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
  return bearer ?? c.req.query('token') ?? c.req.query('accesskey') ?? getCookie(c, 'token') ?? null;
}

/** Who a credential names, as the directory has it at most a few seconds ago; null when it is worth nothing. */
export async function identify(env: Env, credential: string): Promise<Identity | null> {
  if (isAccessKey(credential)) {
    const key = await findWorkingKey(env, await hashToken(credential));
    return key && { principal: { kind: 'accesskey', customerId: key.customerId, keyId: key.id }, tokenVersion: 0 };
  }
  const claims = await readAgentToken(credential, configOf(env).JWT_SECRET);
  return claims && current(env, claims.agentId, claims.version);
}

async function current(env: Env, agentId: string, version: number): Promise<Identity | null> {
  const agent = await findSignedIn(env, agentId);
  if (!agent || agent.tokenVersion !== version) return null;
  const { customerId, permission } = agent;
  return { principal: { kind: 'agent', customerId, agentId, permission }, tokenVersion: version };
}

/** A stream's single-use ticket: `?ticket=`, or a subprotocol where a browser can set no header (spec section 11). */
export const ticketOf = (c: AppContext): string | null =>
  c.req.query('ticket') ??
  /(?:^|[\s,])ticket\.([^\s,]+)/.exec(c.req.header('sec-websocket-protocol') ?? '')?.[1] ??
  null;

async function redeem(env: Env, text: string): Promise<Identity | null> {
  const ticket: Ticket | null = await redeemTicket(env, await hashToken(text), Date.now());
  if (!ticket) return null;
  const { principal, tokenVersion } = ticket;
  if (principal.kind === 'agent') return current(env, principal.agentId, tokenVersion);
  return (await isKeyWorking(env, principal.keyId)) ? { principal, tokenVersion } : null;
}

const isStream = (path: string): boolean => path.endsWith('/stream') || path.endsWith('/ws');

/** Every request behind it has a principal whose customer is under its rate limit. */
export const authenticate = createMiddleware<AppEnv>(async (c, next) => {
  const ticket = isStream(c.req.path) ? ticketOf(c) : null;
  const credential = ticket ?? credentialOf(c);
  if (!credential) throw new ApiError('AUTHENTICATION_REQUIRED');
  const identity = await (ticket ? redeem(c.env, ticket) : identify(c.env, credential));
  if (!identity) throw new ApiError('INVALID_CREDENTIALS');
  const { success } = await c.env.API_LIMIT.limit({ key: identity.principal.customerId });
  if (!success) throw tooMany(10);
  c.set('principal', identity.principal);
  c.set('tokenVersion', identity.tokenVersion);
  await next();
});

/** Stands before validation: who may not do a thing learns nothing of how it is done. */
export const allow = (role: Role) =>
  createMiddleware<AppEnv>(async (c, next) => {
    if (!hasRole(c.get('principal'), role)) throw new ApiError('PERMISSION_DENIED');
    await next();
  });

/** Where a person is needed (spec section 11). */
export const agentsOnly = createMiddleware<AppEnv>(async (c, next) => {
  if (c.get('principal').kind !== 'agent') throw new ApiError('AGENT_AUTH_REQUIRED');
  await next();
});
