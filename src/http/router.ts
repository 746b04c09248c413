import { OpenAPIHono, type z } from '@hono/zod-openapi';
import type { AppEnv } from './context.ts';
import { ApiError, sentenceOf } from './errors.ts';

/** A request that does not fit its schema: 400, with every wrong field named, and of each the first complaint. */
function refuse(target: string, error: z.core.$ZodError, given: unknown): never {
  const complaints = error.issues.map((issue) => [issue.path.join('.') || 'body', plain(issue, given)] as const);
  const details = Object.fromEntries(complaints.toReversed());
  const message = sentenceOf(details);
  if (target === 'param') throw new ApiError('INVALID_ID', message, details);
  throw new ApiError(target === 'query' ? 'INVALID_REQUEST_PARAMETER' : 'INVALID_ARGUMENT', message, details);
}

/** Zod's words for the most common mistakes, in those of somebody who reads an API's answer. */
function plain({ code, message, path }: z.core.$ZodIssue, given: unknown): string {
  if (message.endsWith('received undefined')) return 'is required';
  if (code === 'invalid_value' && (valueAt(given, path) ?? null) === null) return 'is required';
  const wanted = /^Invalid input: expected (\w+), received (\w+)$/.exec(message);
  if (wanted) return `must be ${withArticle(wanted[1])}, not ${withArticle(wanted[2])}`;
  return message.replace(/^Too big: expected string to have <=(\d+) characters$/, 'has more than $1 characters');
}

const withArticle = (kind = ''): string =>
  /^[aeiou]/.test(kind) ? `an ${kind}` : kind === 'null' ? kind : `a ${kind}`;

function valueAt(given: unknown, path: PropertyKey[]): unknown {
  const [key, ...rest] = path;
  if (key === undefined || typeof given !== 'object' || given === null) return given;
  return valueAt(Reflect.get(given, key), rest);
}

/** The one kind of router: every route is an OpenAPI definition, and its handler gets only what fits. */
export const newRouter = (): OpenAPIHono<AppEnv> =>
  new OpenAPIHono<AppEnv>({
    defaultHook: (result) => {
      // Beside what its type says, the result has what was given.
      if (!result.success) refuse(result.target, result.error, 'data' in result ? result.data : null);
    },
  });
