import { Readable } from 'node:stream';
import MailComposer from 'nodemailer/lib/mail-composer';
import { encodeWord } from 'nodemailer/lib/mime-funcs';
import { utf8 } from '../../security/encoding.ts';
import { MARK_HEADER } from './bounce.ts';
import { plainType } from './files.ts';
import { fileName, oneLine, shortened } from './names.ts';

/** A mail of ours before it has its form. Ids are without brackets. */
export interface MailDraft {
  messageId: string;
  from: { address: string; name: string };
  to: { address: string; name: string };
  replyTo: string | null;
  subject: string;
  text: string;
  inReplyTo: string | null;
  /** Oldest first */
  references: string[];
  /** An answer that no person wrote: it says so (RFC 3834), so that no machine answers it */
  isAutomatic: boolean;
  /** Which delivery this is, for reports and for our own mail when it comes back */
  mark: string;
  files: { filename: string; type: string; content: Uint8Array }[];
}

const LAST_REFERENCES = 20;
const MAX_NAME = 200;
/** A line without a space can be folded nowhere, and ends at 998 bytes. */
const UNFOLDABLE = /\S{60}/;

/** The whole message (RFC 5322) with CRLF line ends, all of it ASCII. */
export async function composeMail(draft: MailDraft): Promise<Uint8Array> {
  const mail = new MailComposer({
    from: mailbox(draft.from),
    to: mailbox(draft.to),
    ...(draft.replyTo === null ? {} : { replyTo: { name: '', address: oneLine(draft.replyTo) } }),
    messageId: `<${oneLine(draft.messageId)}>`,
    ...threadOf(draft),
    headers: headersOf(draft),
    alternatives: [textPart(draft.text)],
    attachments: draft.files.map(filePart),
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return mail.compile().build();
}

/** A name that looks encoded would be decoded by whoever reads it. */
const undecodable = (name: string): string => name.replaceAll('=?', '= ?');

const mailbox = ({ address, name }: MailDraft['from']): MailDraft['from'] => ({
  address: oneLine(address),
  name: undecodable(shortened(oneLine(name), MAX_NAME)),
});

/** Ids that came from elsewhere: one that cannot stand in a header is left out. */
const isId = (id: string): boolean => /^[!-;=?-~]{1,900}$/.test(id);

function threadOf({ inReplyTo, references }: MailDraft): { inReplyTo?: string; references?: string[] } {
  const ids = references.filter(isId);
  const kept = ids.length <= LAST_REFERENCES ? ids : [...ids.slice(0, 1), ...ids.slice(1).slice(-LAST_REFERENCES)];
  return {
    ...(inReplyTo !== null && isId(inReplyTo) ? { inReplyTo: `<${inReplyTo}>` } : {}),
    ...(kept.length > 0 ? { references: kept.map((id) => `<${id}>`) } : {}),
  };
}

function headersOf({ subject, mark, isAutomatic }: MailDraft): Record<string, string | object> {
  return {
    Subject: subjectHeader(oneLine(subject)),
    [MARK_HEADER]: oneLine(mark),
    ...(isAutomatic ? { 'Auto-Submitted': 'auto-replied' } : {}),
  };
}

/** What looks encoded already must come back as it is; spaces in a row are where lines are folded, and a reader may make one of them. */
function subjectHeader(subject: string): string | object {
  const isPlain = !UNFOLDABLE.test(subject) && !/ {2}|=\?/.test(subject);
  return isPlain ? subject : { prepared: true, foldLines: true, value: encodeWord(subject, encodingOf(subject), 52) };
}

/** Quoted-printable is read with the bare eye, and makes three bytes of every byte that is not ASCII. */
function encodingOf(text: string): 'Q' | 'B' {
  return utf8(text).length > text.length * 1.2 ? 'B' : 'Q';
}

const textPart = (text: string): object => ({
  contentType: 'text/plain; charset=utf-8',
  contentTransferEncoding: encodingOf(text) === 'Q' ? 'quoted-printable' : 'base64',
  // A mark of byte order at the beginning is none of the text, and readers take it away.
  content: text
    .toWellFormed()
    .replace(/^\uFEFF+/, '')
    .replaceAll(/\r\n?|\n/g, '\r\n'),
});

/** A mail inside a mail may not be encoded (RFC 2046 5.2.1) and would be changed on its way: as octets it stays what it is. */
function filePart({ filename, type, content }: MailDraft['files'][number]): object {
  const plain = plainType(type);
  return {
    filename: undecodable(fileName(filename)) || false,
    contentType: /^(message|multipart)\//.test(plain) ? 'application/octet-stream' : plain,
    contentDisposition: 'attachment',
    contentTransferEncoding: 'base64',
    content: Readable.from(content.length === 0 ? [] : [content], { objectMode: false }),
  };
}
