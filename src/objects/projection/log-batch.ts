import type { LogStore } from '../runtime/log-store.ts';
import type { LogRow } from '../../domain/log-row.ts';

/** D1 takes 2 MB as one value, and a batch's messages are one. */
const ROWS = 200;
const CHARACTERS = 400_000;

export interface LogBatch {
  rows: LogRow[];
  /** The messages that the rows are about, as they are now, each once: their JSON, as it is stored, by id. */
  messages: Map<string, string>;
}

/** As much of the log after the cursor as fits into one batch, and at least one row where there is any. */
export function nextLogBatch(
  log: Pick<LogStore, 'after'>,
  cursor: number,
  messageText: (id: string) => string | null,
): LogBatch {
  const rows: LogRow[] = [];
  const messages = new Map<string, string>();
  let characters = 0;
  for (const row of log.after(cursor, ROWS)) {
    const { messageId } = row;
    const text = messageId === null || messages.has(messageId) ? null : messageText(messageId);
    characters += row.facts.length + (text?.length ?? 0);
    if (rows.length > 0 && characters > CHARACTERS) break;
    rows.push(row);
    if (text !== null && messageId !== null) messages.set(messageId, text);
  }
  return { rows, messages };
}

/** The messages as one JSON array, without parsing them. */
export const messagesJson = ({ messages }: LogBatch): string => `[${[...messages.values()].join(',')}]`;
