import { setTimeout as sleep } from 'node:timers/promises';
import { waitUntilHealthy } from './api.ts';
import { banner } from './banner.ts';
import { buildAssets } from './build-assets.ts';
import { fireCron } from './cron.ts';
import { ensureDemo } from './demo.ts';
import { lockStateDir } from './lock.ts';
import { requireFreePort } from './port.ts';
import { ensureSecrets } from './secrets.ts';
import { markerFile, readSettings, root, type Settings, UsageError } from './settings.ts';
import { killGroup, migrate, startDev, stopAll } from './wrangler.ts';

/** Aborted as soon as this process begins to stop. */
const stopping = new AbortController();

/** `npm start`: everything between a fresh clone and a running Parley. */
async function start(settings: Settings, extraArgs: string[]): Promise<void> {
  await requireFreePort(settings.port);
  lockStateDir(settings);
  const secrets = ensureSecrets();
  buildAssets();
  await migrate(settings);
  if (stopping.signal.aborted) return;
  runServer(settings, extraArgs);
  await waitUntilHealthy(settings.origin, stopping.signal);
  const demo = await ensureDemo(settings.origin, secrets['BOOTSTRAP_TOKEN'] ?? '', markerFile(settings));
  // wrangler logs the requests above a moment later; the block should appear below them.
  await sleep(300);
  console.log(banner(settings, demo));
  await fireCron(settings.origin, stopping.signal);
}

function runServer(settings: Settings, extraArgs: string[]): void {
  const server = startDev(settings, extraArgs);
  server.once('exit', () => {
    if (stopping.signal.aborted) return;
    killGroup(server);
    console.error('wrangler dev stopped unexpectedly. Its last lines above say why.');
    void finish(1);
  });
}

/** The first reason to end decides the exit code. */
async function finish(code: number): Promise<void> {
  if (stopping.signal.aborted) return;
  stopping.abort();
  await stopAll();
  process.exit(code);
}

function fail(error: unknown): void {
  // After the abort every pending step fails, which is expected.
  if (stopping.signal.aborted) return;
  console.error(error instanceof UsageError ? error.message : error);
  void finish(1);
}

process.on('SIGINT', () => void finish(0));
process.on('SIGTERM', () => void finish(0));
process.on('SIGHUP', () => void finish(129));
process.chdir(root);

try {
  await start(readSettings(process.env), process.argv.slice(2));
} catch (error) {
  fail(error);
}
