import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import config from './drizzle.config.ts';

/** Fails when `npm run generate` was forgotten. It changes no file of the project: the migrations are made in a copy. */
const QUIET = { WRANGLER_SEND_METRICS: 'false', WRANGLER_HIDE_BANNER: 'true', WRANGLER_LOG_PATH: '.wrangler/logs' };
const SCRATCH = '.wrangler/check';

function run(tool: string, ...args: string[]): void {
  execFileSync(join('node_modules', '.bin', tool), args, { stdio: 'inherit', env: { ...process.env, ...QUIET } });
}

function bindingsAreFresh(): boolean {
  try {
    run('wrangler', 'types', 'src/bindings.d.ts', '--check');
    return true;
  } catch {
    return false;
  }
}

function migrationsAreFresh(): boolean {
  mkdirSync(SCRATCH, { recursive: true });
  const copy = mkdtempSync(join(SCRATCH, 'migrations-'));
  try {
    cpSync('migrations', copy, { recursive: true });
    run('drizzle-kit', 'generate', '--dialect', config.dialect, '--schema', String(config.schema), '--out', copy);
    return String(readdirSync(copy)) === String(readdirSync('migrations'));
  } finally {
    rmSync(copy, { recursive: true });
  }
}

const stale = [
  ...(bindingsAreFresh() ? [] : ['src/bindings.d.ts does not match wrangler.toml']),
  ...(migrationsAreFresh() ? [] : ['migrations/ does not match src/storage/schema.ts']),
];
for (const each of stale) console.error(`${each}: run npm run generate.`);
process.exitCode = stale.length === 0 ? 0 : 1;
