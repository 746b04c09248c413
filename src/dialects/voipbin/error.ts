/** The error body of `/v1.0`: `{"error":{status, reason, message, request_id, details?}}` (facts/voipbin.md section 2). */
export const presentError = (
  status: string,
  reason: string,
  message: string,
  requestId: string,
  details?: Record<string, unknown>,
) => ({ error: { status, reason, message, request_id: requestId, ...(details ? { details } : {}) } });
