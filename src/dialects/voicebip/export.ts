import { presentConversation } from './conversation.ts';
import type { ConversationState } from '../../domain/conversation/state.ts';

/** One exported conversation: the list's row, plus fields that the list leaves out to stay cheap. */
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
 * Positions at which a spreadsheet would start a formula (https://owasp.org/www-community/attacks/CSV_Injection); a `'` is inserted there. Not
 * only at the start: some programs split cells at semicolons, bars, tabs or line breaks despite the quotes.
 */
const FORMULA = /(?<=^|[;|\t\r\n])(?=[=+\-@＝＋－＠])|^(?=[\t\r\n])/g;

/** A plain telephone number is not a formula, and must read back unchanged. */
const harmless = (cell: Exported[keyof Exported]) =>
  typeof cell === 'string' && !NUMBER.test(cell) ? cell.replaceAll(FORMULA, "'") : cell;

/** RFC 4180: a cell with a comma, a quote or a line break is quoted, and its own quotes are doubled. */
function quoted(cell: Exported[keyof Exported]): string {
  const text = String(cell ?? '');
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const lineOf = (row: Exported): string => COLUMNS.map((column) => quoted(harmless(row[column]))).join(',') + NEWLINE;

/** A file in parts: the head, each page of rows, the tail. `isFirst`: whether it is the first page. */
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
