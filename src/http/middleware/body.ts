import { bodyLimit } from 'hono/body-limit';
import { createMiddleware } from 'hono/factory';
import type { AppEnv } from '../context.ts';
import { ApiError } from '../errors.ts';

/** Larger than any legal JSON body or provider payload; files go another way. */
const MAX_BODY_BYTES = 1024 * 1024;

/** 413 for more, also where no Content-Length tells beforehand. */
export const limitBody = bodyLimit({
  maxSize: MAX_BODY_BYTES,
  onError: () => {
    throw new ApiError('PAYLOAD_TOO_LARGE', 'the body is larger than 1 MB');
  },
});

/** A body that is not declared as JSON would be taken for an empty one: it is refused instead. */
export const requireJson = createMiddleware<AppEnv>(async (c, next) => {
  const hasBody = c.req.raw.body !== null && c.req.header('content-length') !== '0';
  const type = c.req.header('content-type') ?? '';
  if (hasBody && !/^application\/(?:[a-z.-]+\+)?json\b/i.test(type)) {
    throw new ApiError('UNSUPPORTED_MEDIA_TYPE', 'Content-Type must be application/json');
  }
  await next();
});
