import { fileTypeFromBuffer } from 'file-type';
import { err, ok, type Result } from '../domain/result.ts';

/** As much of a file's beginning as tells what it is (file-type's own figure). */
export const HEAD_BYTES = 4100;

/** What runs when it is opened. */
const PROGRAMS = new Set([
  'application/x-msdownload',
  'application/x-elf',
  'application/x-mach-binary',
  'application/x-msi',
  'application/vnd.android.package-archive',
  'application/java-vm',
  'application/java-archive',
  'application/x.ms.shortcut',
  'application/vnd.ms-htmlhelp',
  'application/x-ms-shortcut',
]);

/** Boxes that hold documents of many kinds, which their beginning does not tell apart. */
const BOXES = new Set(['application/zip', 'application/x-cfb', 'application/xml', 'application/x-ole-storage']);

const isBinaryKind = (type: string): boolean => /^(?:image|audio|video|font)\//.test(type) && type !== 'image/svg+xml';

/**
 * The type of a file by what stands in it, because its name and the sender's word may be anything. The error says why it is refused.
 * `declared`: a MIME type without parameters.
 */
export async function kindOfFile(head: Uint8Array, declared: string): Promise<Result<string, string>> {
  const found = (await fileTypeFromBuffer(head))?.mime.split(';')[0];
  if (found !== undefined && PROGRAMS.has(found)) return err('is a program');
  if (hasInterpreter(head)) return err('is a script');
  if (found === undefined) return isBinaryKind(declared) ? err(`is no ${declared}`) : ok(declared);
  return ok(BOXES.has(found) && declared.startsWith('application/') ? declared : found);
}

/** `#!/bin/sh` */
const hasInterpreter = (head: Uint8Array): boolean => head[0] === 0x23 && head[1] === 0x21 && head[2] === 0x2f;
