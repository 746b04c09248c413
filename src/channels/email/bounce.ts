import { headerOf, type Header } from './headers.ts';
import { oneLine } from './names.ts';

/** What a delivery report says about one mail of ours. */
export interface Bounce {
  action: 'failed' | 'delayed' | 'delivered' | 'other';
  /** RFC 3463, such as `5.1.1`; '' where the report has none */
  status: string;
  diagnostic: string;
  /** X-Parley-Delivery of the original that came back; null where it is absent */
  mark: string | null;
}

interface Part {
  type: string;
  content: Uint8Array;
}

/** The header by which we know our own mail when it, or a report about it, comes back. */
export const MARK_HEADER = 'X-Parley-Delivery';

const MAX_MARK = 200;
const MAX_DIAGNOSTIC = 1000;
/** Of a returned original only the headers are read. */
const MAX_HEADER_BYTES = 256 * 1024;
const ORIGINALS = new Set([
  'message/rfc822',
  'message/global',
  'text/rfc822-headers',
  'message/rfc822-headers',
  'message/global-headers',
]);
const STATUSES = new Set(['message/delivery-status', 'message/global-delivery-status']);
const ACTIONS: readonly Bounce['action'][] = ['failed', 'delayed', 'delivered'];

export const markOf = (headers: readonly Header[]): string | null =>
  oneLine(headerOf(headers, MARK_HEADER.toLowerCase())).slice(0, MAX_MARK) || null;

/** RFC 3464. Null for a mail that is no delivery report. */
export function bounceOf(headers: readonly Header[], parts: readonly Part[]): Bounce | null {
  const report = parts.find(({ type }) => STATUSES.has(type));
  if (!report && !isReport(headerOf(headers, 'content-type'))) return null;
  const original = parts.find(({ type }) => ORIGINALS.has(type));
  return {
    ...bounceFrom(report ? fieldsIn(textOf(report)) : []),
    mark: original ? markOf(fieldsIn(headText(original)).flat()) : null,
  };
}

/** A report whose machine-readable part is missing is one all the same. */
const isReport = (contentType: string): boolean =>
  /^multipart\/report\b/i.test(contentType) && /report-type\s*=\s*"?delivery-status\b/i.test(contentType);

/** A report speaks of each recipient in a group of its own: where there are several, the one that failed counts. */
function bounceFrom(groups: Header[][]): Omit<Bounce, 'mark'> {
  const recipients = groups.filter((group) => headerOf(group, 'action') !== '');
  const reported = recipients.find((group) => actionOf(group) === 'failed') ?? recipients[0] ?? [];
  const diagnostic = diagnosticOf(reported);
  const status = STATUS.exec(headerOf(reported, 'status')) ?? STATUS.exec(diagnostic);
  return { action: actionOf(reported), status: status?.[0] ?? '', diagnostic };
}

const STATUS = /\b[245]\.\d{1,3}\.\d{1,3}\b/;

const actionOf = (group: Header[]): Bounce['action'] =>
  ACTIONS.find((action) => headerOf(group, 'action').toLowerCase().startsWith(action)) ?? 'other';

/** Without the kind of what follows: `smtp; 550 …`. */
function diagnosticOf(group: Header[]): string {
  const reported = headerOf(group, 'diagnostic-code').replace(/^[\w-]+\s*;/, '');
  return oneLine(reported).replaceAll(/\s+/g, ' ').slice(0, MAX_DIAGNOSTIC);
}

/** Fields of header form in groups that empty lines separate. */
function fieldsIn(text: string): Header[][] {
  const unfolded = text.replaceAll(/\r\n?/g, '\n').replaceAll(/\n[ \t]+(?=\S)/g, ' ');
  return unfolded.split(/\n[ \t]*\n/).map((group) => group.split('\n').flatMap(fieldIn));
}

function fieldIn(line: string): Header[] {
  const colon = line.indexOf(':');
  return colon < 1 ? [] : [{ key: line.slice(0, colon).trim().toLowerCase(), value: line.slice(colon + 1).trim() }];
}

const textOf = ({ content }: Part): string => new TextDecoder().decode(content.subarray(0, MAX_HEADER_BYTES));

/** What follows the first empty line is what we wrote, or what we quoted: no word of it counts. */
const headText = (section: Part): string =>
  textOf(section)
    .trimStart()
    .split(/\r?\n\r?\n/, 1)[0] ?? '';
