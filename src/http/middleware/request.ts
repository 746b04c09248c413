import { createMiddleware } from 'hono/factory';
import type { AppEnv, AppContext } from '../context.ts';
import { bodyLimit } from 'hono/body-limit';
import { ApiError } from '../errors.ts';

const ACCEPTED = /^[A-Za-z0-9_-]{1,64}$/;

/** `X-Request-Id` on every answer: the client's own where it is harmless, else a new one (facts/voipbin.md section 1). */
export const requestId = createMiddleware<AppEnv>(async (c, next) => {
  const given = c.req.header('x-request-id') ?? '';
  const id = ACCEPTED.test(given) ? given : `req_${crypto.randomUUID().replaceAll('-', '')}`;
  c.set('requestId', id);
  await next();
  if (c.res.status !== 101) c.res.headers.set('X-Request-Id', id);
});

const MEGABYTE = 1024 * 1024;

/** 413 for more, also where no Content-Length tells beforehand. */
const atMost = (megabytes: number) =>
  bodyLimit({
    maxSize: megabytes * MEGABYTE,
    onError: () => {
      throw new ApiError('PAYLOAD_TOO_LARGE', `the body is larger than ${megabytes} MB`);
    },
  });

/** Larger than any legal JSON body; files go another way. */
const limitApi = atMost(1);
/** Meta puts up to 3 MB into one webhook, and gives up on a receiver that refuses them. */
const limitHook = atMost(4);

/** A file is measured where it is taken in (http/medias/): what is wrapped in a limit is no stream of known length any more. */
const isUpload = (c: AppContext): boolean => c.req.method === 'POST' && c.req.path === '/v1.0/medias';

export const limitBody = createMiddleware<AppEnv>((c, next) => {
  if (isUpload(c)) return next();
  return c.req.path.startsWith('/hooks/') ? limitHook(c, next) : limitApi(c, next);
});

/** A body that is not declared as JSON would be taken for an empty one: it is refused instead. */
export const requireJson = createMiddleware<AppEnv>(async (c, next) => {
  if (isUpload(c)) return next();
  const hasBody = c.req.raw.body !== null && c.req.header('content-length') !== '0';
  const type = c.req.header('content-type') ?? '';
  if (hasBody && !/^application\/(?:[a-z.-]+\+)?json\s*(?:;|$)/i.test(type)) {
    throw new ApiError('UNSUPPORTED_MEDIA_TYPE', 'Content-Type must be application/json');
  }
  await next();
});
