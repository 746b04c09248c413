import type { EventType } from './events.ts';
import type { Micros } from './time.ts';

/**
 * An event as the log keeps it. A message's content stands in one place only, its own row: what the log adds are the facts
 * that this event fixed. So a deleted text is gone from every replay at once, and the log stays small.
 */
export interface LogRow {
  sequence: number;
  type: EventType;
  messageId: string | null;
  facts: string;
  at: Micros;
}

/** JSON that we wrote ourselves, into our own row. The one place that believes it; everything from outside goes through zod. */
export const readOwnJson = <T>(text: string): T => JSON.parse(text) as T;

/** The same for a part of such JSON that has been parsed already. */
export const readOwnValue = <T>(value: unknown): T => value as T;
