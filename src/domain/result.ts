/** An expected outcome, good or bad, as plain data: it crosses Durable Object RPC unchanged. Exceptions are for bugs only. */
export type Result<T, E> = { ok: true; value: T } | { ok: false; error: E };

export const ok = <T>(value: T): { ok: true; value: T } => ({ ok: true, value });

export const err = <E>(error: E): { ok: false; error: E } => ({ ok: false, error });
