import { OpenAPIHono, type z } from '@hono/zod-openapi';
import type { AppEnv } from './context.ts';
import { ApiError } from './errors.ts';

/** A request that does not fit its schema: 400, with every wrong field named. */
function refuse(target: string, error: z.core.$ZodError): never {
  const details = Object.fromEntries(error.issues.map((issue) => [issue.path.join('.') || 'body', issue.message]));
  const message = Object.entries(details)
    .map(([field, problem]) => `${field}: ${problem}`)
    .join('; ');
  if (target === 'param') throw new ApiError('INVALID_ID', message, details);
  throw new ApiError(target === 'query' ? 'INVALID_REQUEST_PARAMETER' : 'INVALID_ARGUMENT', message, details);
}

/** The one kind of router: every route is an OpenAPI definition, and its handler gets only what fits. */
export const newRouter = (): OpenAPIHono<AppEnv> =>
  new OpenAPIHono<AppEnv>({
    defaultHook: (result) => {
      if (!result.success) refuse(result.target, result.error);
    },
  });
