import type { LogStore } from './store/log-store.ts';
import type { LogRow } from '../domain/log-row.ts';

/** D1 takes 2 MB as one value, and a stretch's messages are one. */
const ROWS = 50;
const CHARACTERS = 400_000;

export interface Stretch<M> {
  rows: LogRow[];
  /** The messages that the rows are about, as they are now, each once. */
  messages: Map<string, M>;
}

/** As much of the log after the cursor as fits into one batch, and at least one row where there is any. */
export function nextStretch<M>(log: LogStore, cursor: number, messageOf: (id: string) => M | null): Stretch<M> {
  const rows: LogRow[] = [];
  const messages = new Map<string, M>();
  let characters = 0;
  for (const row of log.after(cursor, ROWS)) {
    const { messageId } = row;
    const message = messageId === null || messages.has(messageId) ? null : messageOf(messageId);
    characters += row.facts.length + (message ? JSON.stringify(message).length : 0);
    if (rows.length > 0 && characters > CHARACTERS) break;
    rows.push(row);
    if (message && messageId !== null) messages.set(messageId, message);
  }
  return { rows, messages };
}

/** What the row's event is about, or null for an event that is about no message. */
export const messageOfRow = <M>({ messages }: Stretch<M>, { messageId }: LogRow): M | null =>
  messageId === null ? null : (messages.get(messageId) ?? null);
