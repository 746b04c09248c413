import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** What was seeded. Without an account id the seeding was interrupted. */
export interface Marker {
  accessKey: string;
  accountId: string | null;
}

/** Null if there is no readable marker. The caller then asks the server. */
export function readMarker(file: string): Marker | null {
  try {
    const { accessKey, accountId } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Marker>;
    return typeof accessKey === 'string' ? { accessKey, accountId: accountId ?? null } : null;
  } catch {
    return null;
  }
}

/** Written atomically: the access key is stored nowhere else. */
export function writeMarker(file: string, marker: Marker): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.tmp`, `${JSON.stringify(marker)}\n`, { mode: 0o600 });
  renameSync(`${file}.tmp`, file);
}
