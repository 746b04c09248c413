import { millisOf, type Micros } from '../../domain/time.ts';

/** Spec section 9: what "not deleted" looks like. */
export const NEVER = '9999-01-01 00:00:00.000000';
export const NEVER_ISO = '9999-01-01T00:00:00.000000Z';

const isoSeconds = (at: Micros): string => new Date(millisOf(at)).toISOString().slice(0, 19);
const fraction = (at: Micros): string => String(at % 1_000_000).padStart(6, '0');

/** `2022-06-23 05:05:40.950834`: conversations and messages. */
export const blankTime = (at: Micros): string => `${isoSeconds(at).replace('T', ' ')}.${fraction(at)}`;

/** `2024-03-01T10:00:00.000000Z`: accounts. */
export const isoTime = (at: Micros): string => `${isoSeconds(at)}.${fraction(at)}Z`;

/** `2024-01-15T10:30:00Z`: seed 000's inbound webhook. */
export const isoSecond = (at: Micros): string => `${isoSeconds(at)}Z`;

/** Creation, update and deletion times of a directory row. */
export const presentStamps = (row: { createdAt: Micros; updatedAt: Micros; deletedAt: Micros | null }) => ({
  tm_create: blankTime(row.createdAt),
  tm_update: blankTime(row.updatedAt),
  tm_delete: row.deletedAt === null ? NEVER : blankTime(row.deletedAt),
});

const FORM = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?Z?$/;

/** Parses both forms; null for anything else. */
export function parseTime(text: string): Micros | null {
  const match = FORM.exec(text);
  if (!match) return null;
  const [, day, time, digits = ''] = match;
  const seconds = Date.parse(`${day}T${time}Z`);
  if (Number.isNaN(seconds)) return null;
  // Date.parse accepts impossible dates (February 30) and rolls them over.
  if (!new Date(seconds).toISOString().startsWith(day ?? '')) return null;
  return seconds * 1000 + Number(digits.padEnd(6, '0'));
}
