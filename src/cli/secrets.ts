import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { root } from './settings.ts';

const FILE = join(root, '.dev.vars');

const generators = {
  JWT_SECRET: () => randomBytes(32).toString('base64url'),
  ENCRYPTION_KEY: () => randomBytes(32).toString('base64'),
  BOOTSTRAP_TOKEN: () => randomBytes(24).toString('base64url'),
};

/** The local secrets; empty if `npm start` has never run. */
export function readSecrets(): NodeJS.Dict<string> {
  return existsSync(FILE) ? parseEnv(readFileSync(FILE, 'utf8')) : {};
}

/** Generates what is missing and never changes what exists: ENCRYPTION_KEY decrypts what the local database holds. */
export function ensureSecrets(): NodeJS.Dict<string> {
  const known = readSecrets();
  const missing = Object.entries(generators).filter(([name]) => !known[name]);
  if (missing.length > 0) append(missing.map(([name, generate]) => `${name}="${generate()}"\n`).join(''));
  return readSecrets();
}

function append(lines: string): void {
  if (!existsSync(FILE)) return writeFileSync(FILE, lines, { mode: 0o600, flag: 'wx' });
  // A last line without a newline would swallow our first one.
  const gap = /(^|\n)$/.test(readFileSync(FILE, 'utf8')) ? '' : '\n';
  appendFileSync(FILE, gap + lines);
}
