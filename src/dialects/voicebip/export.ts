import { presentConversation } from './conversation.ts';
import type { ConversationState } from '../../domain/conversation/state.ts';

/** One conversation of an export: the row of the list, and what the list leaves out to be cheap. */
export const presentExported = (state: ConversationState, agentId: string) => ({
  ...presentConversation(state, agentId),
  ai_mode: state.aiMode,
  contact_name: state.peer.targetName,
});

type Exported = ReturnType<typeof presentExported>;

const COLUMNS: (keyof Exported)[] = [
  'conversation_id',
  'agent_id',
  'channel',
  'from_number',
  'to_number',
  'window_expires_at',
  'opt_out',
  'created_at',
  'updated_at',
  'last_message_at',
  'ai_mode',
  'contact_name',
];

const NUMBER = /^\+\d+$/;

/**
 * Where a spreadsheet would begin a formula (https://owasp.org/www-community/attacks/CSV_Injection): it gets a `'` there. Not only at
 * the beginning: a program that splits cells at semicolons, bars, tabs or lines, whatever the quotes say, begins another one behind each.
 */
const FORMULA = /(?<=^|[;|\t\r\n])(?=[=+\-@＝＋－＠])|^(?=[\t\r\n])/g;

/** A plain telephone number is no formula, and must read back as it was. */
const harmless = (cell: Exported[keyof Exported]) =>
  typeof cell === 'string' && !NUMBER.test(cell) ? cell.replaceAll(FORMULA, "'") : cell;

/** RFC 4180: a cell with a comma, a quote or a line break stands in quotes, with its own quotes doubled. */
function quoted(cell: Exported[keyof Exported]): string {
  const text = String(cell ?? '');
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const lineOf = (row: Exported): string => COLUMNS.map((column) => quoted(harmless(row[column]))).join(',') + NEWLINE;

/** A file in pieces: what comes before the rows, each page of rows, what comes after. `isFirst`: of the pages. */
export interface ExportFormat {
  contentType: string;
  head: string;
  rows: (rows: Exported[], isFirst: boolean) => string;
  tail: string;
}

const NEWLINE = '\r\n';

/** RFC 4180 with a header line, and JSON of the list's shape. */
export const EXPORT_FORMATS: Record<'csv' | 'json', ExportFormat> = {
  csv: {
    contentType: 'text/csv; charset=utf-8; header=present',
    head: `${COLUMNS.join(',')}${NEWLINE}`,
    rows: (rows) => rows.map(lineOf).join(''),
    tail: '',
  },
  json: {
    contentType: 'application/json',
    head: '{"conversations":[',
    rows: (rows, isFirst) => (isFirst ? '' : ',') + rows.map((row) => JSON.stringify(row)).join(',\n'),
    tail: ']}',
  },
};
