import type { Attachment } from 'postal-mime';
import { utf8 } from '../../security/encoding.ts';
import { fileName } from './names.ts';

/** A file that came with a mail, or an image inside it. */
export interface MailFile {
  filename: string;
  /** Lower case, without parameters */
  type: string;
  content: Uint8Array;
  /** Without brackets; '' where it has none */
  contentId: string;
}

/** With the note that says what was dropped. */
export const MAX_FILES = 100;

const TYPE = /^[a-z0-9!#$&^_.+-]{1,100}\/[a-z0-9!#$&^_.+-]{1,100}$/;

/** A type that can stand in a header; octets, where it is none. */
export const plainType = (type: string): string =>
  TYPE.exec(type.toLowerCase().split(';')[0]?.trim() ?? '')?.[0] ?? 'application/octet-stream';

export function fileOf({ filename, mimeType, content, contentId }: Attachment): MailFile {
  const type = plainType(mimeType);
  // A mail that somebody attached is the one kind of file that mail programs do not name.
  const name = fileName(filename ?? '') || (type === 'message/rfc822' ? 'message.eml' : '');
  return { filename: name, type, content: bytesOf(content), contentId: (contentId ?? '').replaceAll(/[<>\s]/g, '') };
}

function bytesOf(content: Attachment['content']): Uint8Array {
  return typeof content === 'string' ? utf8(content) : new Uint8Array(content);
}

/** A file that we make of a text. */
export const textFile = (filename: string, type: string, text: string): MailFile => ({
  filename,
  type,
  content: utf8(text),
  contentId: '',
});

/** Nobody looks through more files than this, and each one is a copy to make. */
export function limited(files: MailFile[]): MailFile[] {
  if (files.length <= MAX_FILES) return files;
  const kept = files.slice(0, MAX_FILES - 1);
  const note = `${files.length - kept.length} more files came with this mail and were left out.\n`;
  return [...kept, textFile('files-left-out.txt', 'text/plain', note)];
}
