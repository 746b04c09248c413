import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Refusal } from '../domain/errors.ts';
import type { Result } from '../domain/result.ts';
import { presentMessage } from '../dialects/voipbin/message.ts';

/** THE table of errors: reason → HTTP status and VoIPBIN's status word (facts/voipbin.md section 2). */
export const ERRORS = {
  INVALID_ARGUMENT: [400, 'INVALID_ARGUMENT'],
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
  MEDIA_NOT_AVAILABLE: [404, 'NOT_FOUND'],
  ALREADY_EXISTS: [409, 'ALREADY_EXISTS'],
  CONVERSATION_CLOSED: [409, 'FAILED_PRECONDITION'],
  WEBHOOK_ENDPOINT_DISABLED: [409, 'FAILED_PRECONDITION'],
  CONVERSATION_ACCOUNT_GONE: [409, 'FAILED_PRECONDITION'],
  IDEMPOTENCY_KEY_REUSED: [409, 'FAILED_PRECONDITION'],
  SEQUENCE_MISMATCH: [412, 'FAILED_PRECONDITION'],
  PAYLOAD_TOO_LARGE: [413, 'INVALID_ARGUMENT'],
  UNSUPPORTED_MEDIA_TYPE: [415, 'INVALID_ARGUMENT'],
  UPGRADE_REQUIRED: [426, 'FAILED_PRECONDITION'],
  RATE_LIMIT_EXCEEDED: [429, 'RESOURCE_EXHAUSTED'],
  INTERNAL: [500, 'INTERNAL'],
  SERVICE_UNAVAILABLE: [503, 'UNAVAILABLE'],
} as const satisfies Record<string, readonly [ContentfulStatusCode, string]>;

export type Reason = keyof typeof ERRORS;

const MESSAGES: Partial<Record<Reason, string>> = {
  AUTHENTICATION_REQUIRED: 'a token or an access key is required',
  INVALID_CREDENTIALS: 'the user name, password, token or access key is not valid',
  PERMISSION_DENIED: 'the caller may not do this',
  AGENT_AUTH_REQUIRED: 'this needs the token of an agent, not an access key',
  ORIGIN_NOT_ALLOWED: 'pages of this origin may not open sockets here: name it in ALLOWED_ORIGINS',
  ROUTE_NOT_FOUND: 'there is no such route',
  CONVERSATION_NOT_FOUND: 'there is no such conversation',
  CONVERSATION_MESSAGE_NOT_FOUND: 'there is no such message in this conversation',
  CONVERSATION_ACCOUNT_NOT_FOUND: 'there is no such account',
  AGENT_NOT_FOUND: 'there is no such agent',
  CONVERSATION_CLOSED: 'the conversation is closed; the next message of the contact opens a new one',
  CONVERSATION_ACCOUNT_GONE: 'the account of this conversation no longer exists',
  WEBHOOK_ENDPOINT_DISABLED: 'the endpoint is disabled: enable it first',
  IDEMPOTENCY_KEY_REUSED: 'this Idempotency-Key was used with another request',
  SEQUENCE_MISMATCH: 'there are messages that the sender has not seen',
  RATE_LIMIT_EXCEEDED: 'too many requests',
  INTERNAL: 'something went wrong on our side',
  SERVICE_UNAVAILABLE: 'a part that this request needs does not answer; try again',
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

/** The error body of `/v1.0`: `{"error":{status, reason, message, request_id, details?}}`. */
export function errorBody(reason: Reason, message: string, requestId: string, details?: Details) {
  const [, status] = ERRORS[reason];
  return { error: { status, reason, message, request_id: requestId, ...(details ? { details } : {}) } };
}

export const tooMany = (retryAfterS: number): ApiError =>
  new ApiError('RATE_LIMIT_EXCEEDED', undefined, undefined, { 'Retry-After': String(retryAfterS) });

export const invalidField = (field: string, problem: string): ApiError =>
  new ApiError('INVALID_ARGUMENT', `${field}: ${problem}`, { [field]: problem });

/** The value of a result, or its refusal as the error that the client gets. */
export function valueOf<T>(result: Result<T, Refusal>): T {
  if (result.ok) return result.value;
  const refusal = result.error;
  if (refusal.code !== 'SEQUENCE_MISMATCH') throw new ApiError(refusal.code);
  throw new ApiError(refusal.code, undefined, {
    sequence: refusal.sequence,
    messages: refusal.unseen.map(presentMessage),
  });
}
