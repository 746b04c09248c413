import { ApiError, ERRORS, invalidFields, type Details, type Reason } from '../errors.ts';

/** Voicebip's own words (facts/voicebip.md, "Error shape"); what it has none for says our reason. */
const CODES: Partial<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RATE_LIMITED',
};

/** What the core calls otherwise than the body of a request. */
export type FieldNames = Record<string, string>;

/** Does the work; the fields that it complains about get the names that the request's body has for them. */
export async function inFieldsOf<T>(names: FieldNames, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof ApiError && error.reason === 'INVALID_ARGUMENT' && error.details)
      throw invalidFields(renamed(error.details, names));
    throw error;
  }
}

const renamed = (details: Details, names: FieldNames): Details =>
  Object.fromEntries(Object.entries(details).map(([field, problem]) => [names[field] ?? field, problem]));

/** The error body of `/v1`: flat. `details` is ours, beside what the dialect documents. */
export function flatErrorBody(reason: Reason, message: string, requestId: string, docs: string, details?: Details) {
  const [status] = ERRORS[reason];
  return {
    error_code: CODES[status] ?? reason,
    message,
    request_id: requestId,
    documentation_url: docs,
    ...(details ? { details } : {}),
  };
}
