import { addressParser, decodeWords, type Mailbox } from 'postal-mime';
import type { Millis } from '../../domain/time.ts';
import { oneLine, shortened } from './names.ts';

/** A header of a mail: its name in lower case, its value unfolded. */
export interface Header {
  key: string;
  value: string;
}

/** A header's line may not be longer, so an id cannot be either (RFC 5322 2.1.1). */
const MAX_ID = 998;
const MAX_REFERENCES = 50;
const MAX_NAME = 200;

/** The first header of that name, as it stands in the mail; '' where there is none. */
export const headerOf = (headers: readonly Header[], name: string): string =>
  headers.find(({ key }) => key === name)?.value ?? '';

export const subjectOf = (headers: readonly Header[]): string => oneLine(decodeWords(headerOf(headers, 'subject')));

/** Several From headers, or several authors in one: the first is the one that mail programs show. */
export function senderOf(headers: readonly Header[], envelopeFrom: string): { address: string; name: string } {
  const named = [headerOf(headers, 'from'), headerOf(headers, 'sender')].flatMap(mailboxes)[0];
  if (!named) return { address: mailboxes(envelopeFrom)[0]?.address ?? '', name: '' };
  return { address: named.address, name: shortened(oneLine(named.name), MAX_NAME) };
}

export function recipientsOf(headers: readonly Header[]): string[] {
  const fields = headers.filter(({ key }) => key === 'to' || key === 'cc');
  return [...new Set(fields.flatMap(({ value }) => mailboxes(value)).map(({ address }) => address))];
}

function mailboxes(field: string): Mailbox[] {
  return addressParser(field)
    .flatMap((entry) => entry.group ?? [entry])
    .map(({ name, address }) => ({ name, address: oneLine(address).toLowerCase() }))
    .filter(({ address }) => /^[^\s@]+@[^\s@]+$|^"[^"]*"@[^\s@]+$/.test(address));
}

/** Ids without their brackets. Mail programs that leave the brackets out exist, and so do those that fold an id in two. */
export function idsIn(value: string): string[] {
  const bracketed = [...value.matchAll(/<([^<>]*)>/g)].map(([, id = '']) => id.replaceAll(/\s+/g, ''));
  const ids = bracketed.length > 0 ? bracketed : value.split(/[\s,]+/).filter((word) => word.includes('@'));
  return ids.filter((id) => id !== '' && id.length <= MAX_ID).map(oneLine);
}

/** Where there are too many, the first stays, because it names the thread, and so do the last. */
export function referencesOf(headers: readonly Header[]): string[] {
  const fields = ['references', 'in-reply-to'].map((name) => headerOf(headers, name));
  const ids = [...new Set(fields.flatMap(idsIn))];
  return ids.length <= MAX_REFERENCES ? ids : [...ids.slice(0, 1), ...ids.slice(1 - MAX_REFERENCES)];
}

const DATE =
  /^(?:[a-z]{2,9},?\s+)?(?<day>\d{1,2}\s+[a-z]{3,9}\s+\d{2,4})\s+(?<time>\d{1,2}:\d{2}(?::\d{2})?)\s*(?<zone>[+-]\d{4}|[a-z]{1,5})?/i;

/** RFC 5322 3.3, and its older forms. `Date.parse` alone finds a date in nearly any text. */
export function sentAtOf(headers: readonly Header[]): Millis | null {
  const groups = DATE.exec(headerOf(headers, 'date'))?.groups;
  if (!groups) return null;
  const local = `${groups['day']} ${groups['time']}`;
  // The RFC: a zone that nobody knows counts as none.
  const at = [`${local} ${groups['zone'] ?? '+0000'}`, `${local} +0000`].map(Date.parse).find(Number.isFinite);
  return at ?? null;
}

const BULK = new Set(['bulk', 'list', 'junk', 'auto_reply']);
/** Their presence alone says that no person wrote this mail to us. */
const MACHINE_HEADERS = ['list-id', 'x-autoreply', 'x-autorespond', 'x-auto-response-suppress'];

/** Answering such a mail may begin an exchange between two machines (RFC 3834 2). */
export function isAutomatic(headers: readonly Header[], envelopeFrom: string): boolean {
  if (envelopeFrom === '' || envelopeFrom === '<>') return true;
  // A receipt, such as that a mail was read: reports are made by programs.
  if (/^multipart\/report\b/i.test(headerOf(headers, 'content-type'))) return true;
  const submitted = firstWord(headerOf(headers, 'auto-submitted'));
  if (submitted !== '' && submitted !== 'no') return true;
  if (BULK.has(firstWord(headerOf(headers, 'precedence')))) return true;
  return MACHINE_HEADERS.some((name) => !['', 'no', 'none', 'false'].includes(firstWord(headerOf(headers, name))));
}

const firstWord = (value: string): string => value.toLowerCase().split(/[;,(]/)[0]?.trim() ?? '';
