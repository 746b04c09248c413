import { fileTypeFromBuffer } from 'file-type';
import { err, ok, type Result } from '../domain/result.ts';

/** How many bytes of a file file-type needs to detect its type. */
export const HEAD_BYTES = 4100;

/** Types that are executed when opened. */
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

/** Container formats used by many document types, which cannot be told apart by their first bytes. */
const CONTAINERS = new Set(['application/zip', 'application/x-cfb', 'application/xml', 'application/x-ole-storage']);

const isBinaryKind = (type: string): boolean => /^(?:image|audio|video|font)\//.test(type) && type !== 'image/svg+xml';

/**
 * Detects the type of a file from its content, because its name and the declared type cannot be trusted. The error says why it is refused.
 * `declared`: a MIME type without parameters.
 */
export async function kindOfFile(head: Uint8Array, declared: string): Promise<Result<string, string>> {
  const found = (await fileTypeFromBuffer(head))?.mime.split(';')[0];
  if (found !== undefined && PROGRAMS.has(found)) return err('is a program');
  if (hasInterpreter(head)) return err('is a script');
  if (found === undefined)
    return isBinaryKind(declared) ? err(`is not of the declared type ${declared}`) : ok(declared);
  return ok(CONTAINERS.has(found) && declared.startsWith('application/') ? declared : found);
}

/** `#!/bin/sh` */
const hasInterpreter = (head: Uint8Array): boolean => head[0] === 0x23 && head[1] === 0x21 && head[2] === 0x2f;
