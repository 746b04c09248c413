import { createMiddleware } from 'hono/factory';
import type { AppContext, AppEnv } from '../context.ts';
import { ApiError, tooMany } from '../errors.ts';
import { findResolved, type ResolvedAccount } from '../../app/accounts.ts';
import { configOf } from '../../env.ts';
import { readVisitor, type Visitor } from '../../security/visitor-token.ts';

/** The chat account that the path names. @throws 404 */
export async function chatAccount(c: AppContext): Promise<ResolvedAccount> {
  const resolved = await findResolved(c.env, accountIdOf(c));
  if (resolved?.channel.id !== 'chat') throw new ApiError('CONVERSATION_ACCOUNT_NOT_FOUND');
  return resolved;
}

export const accountIdOf = (c: AppContext): string => (c.req.param('account_id') ?? '').toLowerCase();

/** Refuses pages of origins that the account does not name. A request without an origin does not come from a browser. */
export const allowedOrigin = createMiddleware<AppEnv>(async (c, next) => {
  const { account } = await chatAccount(c);
  const origin = c.req.header('origin');
  const allowed = account.providerData['allowed_origins'] ?? [];
  if (origin !== undefined && !allowed.includes('*') && !allowed.includes(origin)) {
    throw new ApiError('ORIGIN_NOT_ALLOWED', 'pages of this origin may not use this chat: name it in allowed_origins');
  }
  await next();
});

/** Requires a visitor's token, and limits its rate. */
export const visitorOnly = createMiddleware<AppEnv>(async (c, next) => {
  const { id } = await visitorIn(c);
  const { success } = await c.env.CHAT_LIMIT.limit({ key: id });
  if (!success) throw tooMany(60);
  await next();
});

/** In a header, or where a browser's socket can set none in a subprotocol (spec section 11). @throws 401 */
export async function visitorIn(c: AppContext): Promise<Visitor> {
  const token =
    /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1] ??
    /(?:^|[\s,])visitor\.([^\s,]+)/.exec(c.req.header('sec-websocket-protocol') ?? '')?.[1];
  if (token === undefined) throw new ApiError('AUTHENTICATION_REQUIRED', 'a visitor_token is required');
  return visitorOf(c, token);
}

/** @throws 401 when the token was not issued for this account. */
export async function visitorOf(c: AppContext, token: string): Promise<Visitor> {
  const visitor = await readVisitor(token, accountIdOf(c), configOf(c.env).JWT_SECRET);
  if (!visitor) throw new ApiError('INVALID_CREDENTIALS', 'the visitor_token is not valid here');
  return visitor;
}
