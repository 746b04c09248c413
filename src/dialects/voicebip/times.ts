import { millisOf, type Micros } from '../../domain/time.ts';

/** `2026-05-15T10:15:00Z`, as seed 003 shows every time. */
export const second = (at: Micros): string => `${new Date(millisOf(at)).toISOString().slice(0, 19)}Z`;

export const secondOrNull = (at: Micros | null): string | null => (at === null ? null : second(at));
