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

/** Zod's own words, in those of somebody who reads an API's answer. A schema's own messages stay as they are. */
function plain(issue: z.core.$ZodIssue, given: unknown): string {
  const { message } = issue;
  const isMissing = issue.code !== 'custom' && valueAt(given, issue.path) === undefined;
  if (isMissing || message.endsWith('received undefined')) return 'is required';
  if (!/^(?:Invalid|Too|Unrecognized) /.test(message)) return message;
  if (issue.code === 'invalid_value') return choiceAmong(issue.values, valueAt(given, issue.path));
  if (issue.code === 'too_big') return `must ${boundOf(issue.origin, 'at most', issue.maximum)}`;
  if (issue.code === 'too_small') return `must ${boundOf(issue.origin, 'at least', issue.minimum)}`;
  if (issue.code === 'unrecognized_keys') return `has unknown fields: ${issue.keys.join(', ')}`;
  if (issue.code !== 'invalid_union') return typeMismatch(message);
  const options = 'options' in issue ? issue.options : undefined;
  return options ? choiceAmong(options, valueAt(given, issue.path)) : 'does not have one of the accepted forms';
}

function typeMismatch(message: string): string {
  const wanted = /^Invalid input: expected (\w+), received (\w+)$/.exec(message);
  return wanted ? `must be ${withArticle(wanted[1])}, not ${withArticle(wanted[2])}` : message;
}

function choiceAmong(values: readonly unknown[], given: unknown): string {
  if (given === null) return 'is required';
  const allowed = values.map((value) => JSON.stringify(value)).join(', ');
  return values.length === 1 ? `must be ${allowed}` : `must be one of ${allowed}`;
}

function boundOf(origin: string, side: 'at most' | 'at least', bound: number | bigint): string {
  if (origin === 'string')
    return side === 'at least' && bound === 1 ? 'not be empty' : `have ${side} ${bound} characters`;
  return origin === 'array' || origin === 'set' ? `have ${side} ${bound} items` : `be ${side} ${bound}`;
}

const withArticle = (kind = ''): string =>
  kind === 'int' ? 'a whole number' : /^[aeiou]/.test(kind) ? `an ${kind}` : kind === 'null' ? kind : `a ${kind}`;

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
