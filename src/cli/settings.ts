import { join, relative } from 'node:path';

/** The project's folder, so that a start from anywhere else finds its files. */
export const root: string = join(import.meta.dirname, '..', '..');

/** A mistake by the user: shown as one line, without a stack trace. */
export class UsageError extends Error {}

export interface Settings {
  port: number;
  origin: string;
  stateDir: string;
}

export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const port = readPort(env['PORT']);
  return { port, origin: `http://127.0.0.1:${port}`, stateDir: env['STATE_DIR'] || '.wrangler/state' };
}

export const markerFile = (settings: Settings): string => join(settings.stateDir, 'parley-demo.json');

export const shown = (path: string): string => relative(root, path) || path;

function readPort(text: string | undefined): number {
  const port = Number(text || '8787');
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new UsageError(`PORT must be a number between 1 and 65535, not "${text}".`);
}
