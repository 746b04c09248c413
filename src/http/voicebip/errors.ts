import { ERRORS, type Details, type Reason } from '../errors.ts';

/** Voicebip's own words (facts/voicebip.md, "Error shape"); what it has none for says our reason. */
const CODES: Partial<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RATE_LIMITED',
};

/** What the core calls otherwise than the bodies of this dialect. */
const FIELDS: Record<string, string> = {
  text: 'body',
  medias: 'media_url',
  'medias.0': 'media_url',
  'medias.0.url': 'media_url',
  'template.name': 'template_name',
  'template.language': 'language_code',
  'template.parameters': 'parameters',
};

const renamed = (details: Details): Details =>
  Object.fromEntries(Object.entries(details).map(([field, problem]) => [FIELDS[field] ?? field, problem]));

/** The error body of `/v1`: flat. `details` is ours, beside what the dialect documents. */
export function flatErrorBody(reason: Reason, message: string, requestId: string, docs: string, details?: Details) {
  const [status] = ERRORS[reason];
  return {
    error_code: CODES[status] ?? reason,
    message,
    request_id: requestId,
    documentation_url: docs,
    ...(details ? { details: renamed(details) } : {}),
  };
}
