import { createRoute, z } from '@hono/zod-openapi';
import { setCookie } from 'hono/cookie';
import type { AppContext } from '../context.ts';
import { ApiError, tooMany } from '../errors.ts';
import { answer, body, failures } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { configOf } from '../../env.ts';
import { MINUTE } from '../../domain/time.ts';
import { signAgentToken, TOKEN_SECONDS } from '../../security/agent-token.ts';
import { verifyPassword } from '../../security/password.ts';
import { findByUsername, type Agent } from '../../storage/agents.ts';
import { countAttempt, forgiveAttempt } from '../../storage/login-failures.ts';

/** Spec section 11: 10 failed logins a minute per user name. */
const MAX_FAILURES = 10;

const loginRoute = createRoute({
  tags: ['Identity'],
  method: 'post',
  path: '/login',
  summary: 'Log an agent in',
  description:
    'Also sets the HttpOnly cookie `token`. Limited to 60 logins per minute and address and 10 failed logins per minute and user name; beyond that 429 with `Retry-After`.',
  request: body(z.object({ username: z.string().min(1).max(255), password: z.string().min(1).max(1024) })),
  responses: {
    ...answer(z.object({ username: z.string(), token: z.string() }), 'The token, for seven days'),
    ...failures('INVALID_CREDENTIALS'),
  },
});

export const authRoutes = newRouter();

authRoutes.openapi(loginRoute, async (c) => {
  const { username, password } = c.req.valid('json');
  const now = Date.now();
  await limitAttempts(c, username, now);
  const agent = await checkPassword(c, username, password);
  await forgiveAttempt(c.env, username, now);
  const claims = { agentId: agent.id, customerId: agent.customerId, version: agent.tokenVersion };
  const token = await signAgentToken(claims, configOf(c.env).JWT_SECRET, now);
  const secure = new URL(c.req.url).protocol === 'https:';
  setCookie(c, 'token', token, { httpOnly: true, secure, sameSite: 'Strict', path: '/', maxAge: TOKEN_SECONDS });
  return c.json({ username: agent.username, token }, 200);
});

async function limitAttempts(c: AppContext, username: string, now: number): Promise<void> {
  const address = c.req.header('cf-connecting-ip') ?? 'unknown';
  const { success } = await c.env.LOGIN_LIMIT.limit({ key: address });
  if (!success) throw tooMany(60);
  const attempts = await countAttempt(c.env, username, now);
  if (attempts > MAX_FAILURES) throw tooMany(Math.ceil((MINUTE - (now % MINUTE)) / 1000));
}

/** An unknown user takes as long as a wrong password, and is told the same. */
async function checkPassword(c: AppContext, username: string, password: string): Promise<Agent> {
  const agent = await findByUsername(c.env, username);
  const right = await verifyPassword(password, agent?.passwordHash ?? null);
  if (!agent || !right) throw new ApiError('INVALID_CREDENTIALS');
  return agent;
}
