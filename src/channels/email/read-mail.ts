import PostalMime, { type Email } from 'postal-mime';
import { err, ok, type Result } from '../../domain/result.ts';
import type { Millis } from '../../domain/time.ts';
import { toHex } from '../../security/encoding.ts';
import { bounceOf, markOf, type Bounce } from './bounce.ts';
import { fileOf, limited, textFile, type MailFile } from './files.ts';
import { headerOf, idsIn, isAutomatic, recipientsOf, referencesOf, senderOf, sentAtOf, subjectOf } from './headers.ts';
import { safeHtml, textOfHtml } from './safe-html.ts';

/** A mail as the hub needs it. */
export interface ReadMail {
  /** Without brackets; where the mail has none, one made of its bytes, so that the same mail has the same */
  messageId: string;
  /** The address in lower case, '' where nobody is named */
  from: { address: string; name: string };
  /** Every address in To and Cc, in lower case */
  recipients: string[];
  subject: string;
  /** What a person reads, quotes included: the text part, or else the HTML's text */
  text: string;
  /** The HTML part made safe to show */
  html: string | null;
  files: MailFile[];
  /** Ids of the mails that this one answers, without brackets, oldest first */
  references: string[];
  sentAt: Millis | null;
  kind: 'personal' | 'automatic' | 'bounce';
  /** Our own mark on this mail itself: it is our own mail come back */
  ownMark: string | null;
  bounce: Bounce | null;
}

/** What Cloudflare's e-mail routing takes. */
export const MAX_BYTES = 25 * 1024 * 1024;
/** UTF-16 units; a longer text is cut, and is whole in a file. */
export const MAX_TEXT = 200_000;
/** What is longer is not shown, but is a file. */
export const MAX_HTML = 1_000_000;
/** The time that the HTML parser takes grows with the square of the depth, which is at most the number of tags. */
export const MAX_TAGS = 30_000;
/** 25 MB of base64 have 350,000. The parser keeps an object for each, so that 25 MB of empty lines would not fit into an isolate. */
export const MAX_LINES = 400_000;
/** Each of them may begin a part, of which a mail has a few dozen; a part costs far more than a line. */
export const MAX_DASHED_LINES = 10_000;
const DASH = 0x2d;
const LINE_FEED = 0x0a;
const LIMITS = {
  maxNestingDepth: 50,
  maxHeadersSize: 512 * 1024,
  // An attached mail is a file: what somebody else wrote elsewhere must not read as if the sender had written it here.
  forceRfc822Attachments: true,
};

/** Reads any bytes. The error is a short reason that quotes nothing of the mail. */
export async function readMail(raw: Uint8Array, envelopeFrom: string): Promise<Result<ReadMail, string>> {
  if (raw.byteLength > MAX_BYTES) return err('the mail is larger than 25 MB');
  const head = firstLines(raw);
  const parsed = await parse(head);
  if (!parsed.ok) return parsed;
  const whole = head === raw ? [] : [{ filename: 'message.eml', type: 'message/rfc822', content: raw, contentId: '' }];
  return ok(await mailOf(parsed.value, raw, envelopeFrom, whole));
}

/** A mail of too many lines is read as far as they go. */
function firstLines(raw: Uint8Array): Uint8Array {
  let at = 0;
  let dashed = 0;
  for (let line = 0; line < MAX_LINES && dashed < MAX_DASHED_LINES; line++) {
    if (raw[at] === DASH && raw[at + 1] === DASH) dashed++;
    const end = raw.indexOf(LINE_FEED, at);
    if (end < 0) return raw;
    at = end + 1;
  }
  return raw.subarray(0, at);
}

/** The parser throws where a limit of ours is passed; a mail that its author has not thought of must not end the worker either. */
async function parse(raw: Uint8Array): Promise<Result<Email, string>> {
  try {
    return ok(await PostalMime.parse(uncopied(raw), LIMITS));
  } catch (error) {
    const said = error instanceof Error ? error.message : '';
    if (said.includes('nesting depth')) return err('the parts of the mail are nested too deeply');
    return err(said.includes('header size') ? 'the headers of the mail are too large' : 'the mail cannot be parsed');
  }
}

/** The parser copies a view, and takes a buffer as it is: 25 MB are a fifth of what an isolate has. */
const uncopied = (raw: Uint8Array): ArrayBuffer | Uint8Array =>
  raw.buffer instanceof ArrayBuffer && raw.byteLength === raw.buffer.byteLength ? raw.buffer : raw;

async function mailOf(email: Email, raw: Uint8Array, envelopeFrom: string, whole: MailFile[]): Promise<ReadMail> {
  const { headers } = email;
  const attached = email.attachments.map(fileOf);
  const bounce = bounceOf(headers, attached);
  const { text, html, files } = bodyOf(email, attached.length > 0);
  return {
    messageId: idsIn(headerOf(headers, 'message-id'))[0] ?? (await madeUpId(raw)),
    from: senderOf(headers, envelopeFrom),
    recipients: recipientsOf(headers),
    subject: subjectOf(headers),
    text,
    html,
    files: limited([...files, ...whole, ...attached]),
    references: referencesOf(headers),
    sentAt: sentAtOf(headers),
    kind: bounce ? 'bounce' : isAutomatic(headers, envelopeFrom) ? 'automatic' : 'personal',
    ownMark: markOf(headers),
    bounce,
  };
}

/** `.invalid` belongs to nobody (RFC 2606). */
const madeUpId = async (raw: Uint8Array): Promise<string> =>
  `${toHex(await crypto.subtle.digest('SHA-256', new Uint8Array(raw)))}@no-message-id.invalid`;

interface Body {
  text: string;
  html: string | null;
  /** What is too long to stand in the message */
  files: MailFile[];
}

function bodyOf(email: Email, hasFiles: boolean): Body {
  const dirty = email.html ?? '';
  const shown = firstTags(dirty);
  const html = safeHtml(shown);
  const whole = tidy(email.text ?? '') || tidy(textOfHtml(html)) || (hasFiles ? '' : pictureIn(html));
  // A character may be two units: half of one is none.
  const text = whole.slice(0, MAX_TEXT).replace(/[\uD800-\uDBFF]$/, '');
  return {
    text,
    html: shown === dirty ? html || null : null,
    files: [
      ...(whole.length > MAX_TEXT ? [textFile('message.txt', 'text/plain', whole)] : []),
      ...(shown === dirty ? [] : [textFile('message.html', 'text/html', dirty)]),
    ],
  };
}

function firstTags(html: string): string {
  let at = -1;
  for (let tag = 0; tag <= MAX_TAGS; tag++) {
    at = html.indexOf('<', at + 1);
    if (at < 0 || at >= MAX_HTML) return html.slice(0, MAX_HTML);
  }
  return html.slice(0, at);
}

const tidy = (text: string): string => text.replaceAll(/\r\n?/g, '\n').trimEnd();

/** Where all that was sent is a picture that we do not fetch, there was something to see all the same. */
const pictureIn = (html: string): string => (html.includes('<img') ? '[image]' : '');
