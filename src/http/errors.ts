import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { REFUSAL_MESSAGES, type Refusal } from '../domain/errors.ts';
import type { Result } from '../domain/result.ts';
import { presentMessage } from '../dialects/voipbin/message.ts';

/** THE table of errors: reason → HTTP status and VoIPBIN's status word (facts/voipbin.md section 2). */
export const ERRORS = {
  INVALID_ARGUMENT: [400, 'INVALID_ARGUMENT'],
  INVALID_FIELD: [400, 'INVALID_ARGUMENT'],
  INVALID_ID: [400, 'INVALID_ARGUMENT'],
  INVALID_JSON_BODY: [400, 'INVALID_ARGUMENT'],
  INVALID_REQUEST_PARAMETER: [400, 'INVALID_ARGUMENT'],
  INVALID_HOOK_BODY: [400, 'INVALID_ARGUMENT'],
  AUTHENTICATION_REQUIRED: [401, 'UNAUTHENTICATED'],
  INVALID_CREDENTIALS: [401, 'UNAUTHENTICATED'],
  INVALID_SIGNATURE: [401, 'UNAUTHENTICATED'],
  PERMISSION_DENIED: [403, 'PERMISSION_DENIED'],
  AGENT_AUTH_REQUIRED: [403, 'PERMISSION_DENIED'],
  ORIGIN_NOT_ALLOWED: [403, 'PERMISSION_DENIED'],
  ROUTE_NOT_FOUND: [404, 'NOT_FOUND'],
  RESOURCE_NOT_FOUND: [404, 'NOT_FOUND'],
  AGENT_NOT_FOUND: [404, 'NOT_FOUND'],
  CONVERSATION_NOT_FOUND: [404, 'NOT_FOUND'],
  CONVERSATION_MESSAGE_NOT_FOUND: [404, 'NOT_FOUND'],
  CONVERSATION_ACCOUNT_NOT_FOUND: [404, 'NOT_FOUND'],
  ASSISTANT_NOT_FOUND: [404, 'NOT_FOUND'],
  FLOW_NOT_FOUND: [404, 'NOT_FOUND'],
  ACTIVEFLOW_NOT_FOUND: [404, 'NOT_FOUND'],
  PARTICIPANT_NOT_FOUND: [404, 'NOT_FOUND'],
  CONTACT_NOT_FOUND: [404, 'NOT_FOUND'],
  TALK_NOT_FOUND: [404, 'NOT_FOUND'],
  TALK_MESSAGE_NOT_FOUND: [404, 'NOT_FOUND'],
  TALK_PARTICIPANT_NOT_FOUND: [404, 'NOT_FOUND'],
  MEDIA_NOT_AVAILABLE: [404, 'NOT_FOUND'],
  TEMPLATES_NOT_AVAILABLE: [503, 'UNAVAILABLE'],
  ALREADY_EXISTS: [409, 'ALREADY_EXISTS'],
  ADDRESS_TAKEN: [409, 'ALREADY_EXISTS'],
  CONVERSATION_CLOSED: [409, 'FAILED_PRECONDITION'],
  MODE_CHANGED: [409, 'FAILED_PRECONDITION'],
  ACTIVEFLOW_STOPPED: [409, 'FAILED_PRECONDITION'],
  TALK_CLOSED: [409, 'FAILED_PRECONDITION'],
  TALK_PAIR_EXISTS: [409, 'ALREADY_EXISTS'],
  WEBHOOK_ENDPOINT_DISABLED: [409, 'FAILED_PRECONDITION'],
  CONVERSATION_ACCOUNT_GONE: [409, 'FAILED_PRECONDITION'],
  IDEMPOTENCY_KEY_REUSED: [409, 'FAILED_PRECONDITION'],
  IDEMPOTENCY_KEY_IN_USE: [409, 'FAILED_PRECONDITION'],
  LENGTH_REQUIRED: [411, 'INVALID_ARGUMENT'],
  SEQUENCE_MISMATCH: [412, 'FAILED_PRECONDITION'],
  PAYLOAD_TOO_LARGE: [413, 'INVALID_ARGUMENT'],
  UNSUPPORTED_MEDIA_TYPE: [415, 'INVALID_ARGUMENT'],
  UPGRADE_REQUIRED: [426, 'FAILED_PRECONDITION'],
  NO_CHANNEL_AVAILABLE: [422, 'FAILED_PRECONDITION'],
  WINDOW_CLOSED: [422, 'FAILED_PRECONDITION'],
  CONTACT_OPTED_OUT: [422, 'FAILED_PRECONDITION'],
  RATE_LIMIT_EXCEEDED: [429, 'RESOURCE_EXHAUSTED'],
  INTERNAL: [500, 'INTERNAL'],
  SERVICE_UNAVAILABLE: [503, 'UNAVAILABLE'],
} as const satisfies Record<string, readonly [ContentfulStatusCode, string]>;

export type Reason = keyof typeof ERRORS;

const MESSAGES: Partial<Record<Reason, string>> = {
  ...REFUSAL_MESSAGES,
  AUTHENTICATION_REQUIRED: 'a token or an access key is required',
  INVALID_CREDENTIALS: 'the user name, password, token or access key is invalid',
  AGENT_AUTH_REQUIRED: 'this requires the token of an agent; access keys are not accepted',
  ORIGIN_NOT_ALLOWED: 'pages of this origin may not open sockets here; add it to ALLOWED_ORIGINS',
  ROUTE_NOT_FOUND: 'this route does not exist',
  CONVERSATION_ACCOUNT_NOT_FOUND: 'the account does not exist',
  ASSISTANT_NOT_FOUND: 'the assistant does not exist',
  FLOW_NOT_FOUND: 'the flow does not exist',
  ACTIVEFLOW_NOT_FOUND: 'the activeflow does not exist',
  AGENT_NOT_FOUND: 'the agent does not exist',
  TALK_PAIR_EXISTS: 'these two agents already have a 1:1 talk',
  WEBHOOK_ENDPOINT_DISABLED: 'the endpoint is disabled; enable it first',
  IDEMPOTENCY_KEY_IN_USE: 'the first request with this Idempotency-Key is still running; try again later',
  RATE_LIMIT_EXCEEDED: 'too many requests',
  INTERNAL: 'something went wrong on our side',
};

/** More about an error, as plain JSON: the fields that are wrong, the messages not seen. */
export type Details = Record<string, unknown>;

/** An expected failure on its way to the client. Thrown at the HTTP edge only, and answered in app.ts. */
export class ApiError extends Error {
  readonly reason: Reason;
  readonly details: Details | undefined;
  readonly headers: Record<string, string>;

  constructor(reason: Reason, message?: string, details?: Details, headers: Record<string, string> = {}) {
    super(message ?? MESSAGES[reason] ?? reason);
    this.reason = reason;
    this.details = details;
    this.headers = headers;
  }
}

export const tooMany = (retryAfterS: number): ApiError =>
  new ApiError('RATE_LIMIT_EXCEEDED', undefined, undefined, { 'Retry-After': String(retryAfterS) });

export const invalidField = (field: string, problem: string): ApiError => invalidFields({ [field]: problem });

export const invalidFields = (problems: Details): ApiError =>
  new ApiError('INVALID_ARGUMENT', sentenceOf(problems), problems);

/** What is wrong with which field, as `message` says it. */
export const sentenceOf = (problems: Details): string =>
  Object.entries(problems)
    .map(([field, problem]) => `${field}: ${String(problem)}`)
    .join('; ');

/** The value of a result, or its refusal as the error that the client gets. */
export function valueOf<T>(result: Result<T, Refusal>): T {
  if (result.ok) return result.value;
  throw asApiError(result.error);
}

function asApiError(refusal: Refusal): ApiError {
  if (refusal.code === 'INVALID_FIELD') return invalidField(refusal.field, refusal.problem);
  const headers: Record<string, string> = refusal.code === 'SERVICE_UNAVAILABLE' ? { 'Retry-After': '5' } : {};
  const problem = 'problem' in refusal ? refusal.problem : undefined;
  return new ApiError(refusal.code, problem, detailsOf(refusal), headers);
}

/** What the client needs beside the reason, under the names that it reads. */
function detailsOf(refusal: Refusal): Details | undefined {
  const { code } = refusal;
  if (code === 'SEQUENCE_MISMATCH') return { sequence: refusal.sequence, messages: refusal.unseen.map(presentMessage) };
  if (code === 'WINDOW_CLOSED') return refusal.templates && { templates: refusal.templates };
  if (code === 'ADDRESS_TAKEN') return { conversation_ids: refusal.conversationIds };
  if (code === 'TEMPLATES_NOT_AVAILABLE') return { provider_error: refusal.providerError };
  if (code === 'ALREADY_EXISTS' && refusal.contactMergeId !== undefined)
    return { contact_merge_id: refusal.contactMergeId };
  return undefined;
}
