import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { shown, UsageError, type Settings } from './settings.ts';

/** Two servers must not use the same data folder. The lock lasts until this process ends. */
export function lockStateDir({ stateDir }: Settings): void {
  const file = join(stateDir, 'parley.pid');
  const holder = readHolder(file);
  if (holder !== null && holder !== process.pid && isAlive(holder)) {
    throw new UsageError(
      `Another Parley (process ${holder}) is using ${shown(stateDir)}. Stop it, or choose another folder with STATE_DIR=… npm start. If process ${holder} is not a Parley, delete ${shown(file)}.`,
    );
  }
  mkdirSync(stateDir, { recursive: true });
  writeFileSync(file, String(process.pid));
  process.once('exit', () => rmSync(file, { force: true }));
}

function readHolder(file: string): number | null {
  try {
    return Number(readFileSync(file, 'utf8')) || null;
  } catch {
    return null;
  }
}

/** Signal 0 only checks. EPERM means that the process exists. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
