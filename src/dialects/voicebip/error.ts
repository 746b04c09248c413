/** Voicebip's error codes (facts/voicebip.md, "Error shape"). Where it has none, our reason is used. */
const CODES: Partial<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RATE_LIMITED',
};

/** The error body of `/v1`: flat. `details` is ours, beside what the dialect documents. */
export const presentError = (
  status: number,
  reason: string,
  message: string,
  requestId: string,
  docs: string,
  details?: Record<string, unknown>,
) => ({
  error_code: CODES[status] ?? reason,
  message,
  request_id: requestId,
  documentation_url: docs,
  ...(details ? { details } : {}),
});
