import { createMiddleware } from 'hono/factory';
import type { AppEnv } from '../context.ts';

const ACCEPTED = /^[A-Za-z0-9_-]{1,64}$/;

/** `X-Request-Id` on every answer: the client's own where it is harmless, else a new one (facts/voipbin.md section 1). */
export const requestId = createMiddleware<AppEnv>(async (c, next) => {
  const given = c.req.header('x-request-id') ?? '';
  const id = ACCEPTED.test(given) ? given : `req_${crypto.randomUUID().replaceAll('-', '')}`;
  c.set('requestId', id);
  await next();
  if (c.res.status !== 101) c.res.headers.set('X-Request-Id', id);
});
