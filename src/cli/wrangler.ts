import { type ChildProcess, spawn } from 'node:child_process';
import events from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { root, type Settings } from './settings.ts';

const BIN = join(root, 'node_modules', 'wrangler', 'bin', 'wrangler.js');
const STOP_TIMEOUT_MS = 5_000;

const running = new Set<ChildProcess>();
// The backstop for exits that bypass stopAll: a crash must not leave a server running.
process.on('exit', () => running.forEach(killGroup));

/** Runs wrangler in its own process group, so that stopping it also stops workerd, and Ctrl+C reaches only us. */
function wrangler(args: string[], settings: Settings, output: 'inherit' | 'pipe'): ChildProcess {
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd: root,
    detached: true,
    stdio: ['ignore', output, output],
    env: { ...process.env, ...localEnv(settings) },
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

// No prompts, no calls to Cloudflare, no files outside the project. A shared registry of local Workers would mix up two Parleys.
const localEnv = (settings: Settings): NodeJS.Dict<string> => ({
  CI: 'true',
  WRANGLER_SEND_METRICS: 'false',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  WRANGLER_LOG_PATH: join(settings.stateDir, 'logs'),
  WRANGLER_REGISTRY_PATH: join(settings.stateDir, 'registry'),
});

/** Migrates the local database. The output is shown only on failure. */
export async function migrate(settings: Settings): Promise<void> {
  const args = ['d1', 'migrations', 'apply', 'DB', '--local', '--persist-to', settings.stateDir];
  const child = wrangler(args, settings, 'pipe');
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => lines.push(chunk.toString()));
  await events.once(child, 'close');
  if (child.exitCode !== 0) throw new Error(`The database migrations failed.\n${lines.join('')}`);
}

export function startDev(settings: Settings, extraArgs: string[]): ChildProcess {
  const own = ['--port', String(settings.port), '--ip', '127.0.0.1', '--persist-to', settings.stateDir];
  const quiet = ['--inspector-port', '0', '--show-interactive-dev-session', 'false'];
  const vars = ['--var', 'ALLOW_PRIVATE_TARGETS:true'];
  return wrangler(['dev', ...own, ...quiet, ...vars, ...extraArgs], settings, 'inherit');
}

/** Stops what we started: first with SIGTERM, then the whole group, since a leftover workerd would keep the port. */
export async function stopAll(): Promise<void> {
  await Promise.all([...running].map(stop));
}

async function stop(child: ChildProcess): Promise<void> {
  const exited = events.once(child, 'exit');
  signal(child.pid, 'SIGTERM');
  await Promise.race([exited, sleep(STOP_TIMEOUT_MS)]);
  killGroup(child);
}

export function killGroup(child: ChildProcess): void {
  if (child.pid !== undefined) signal(-child.pid, 'SIGKILL');
}

function signal(pid: number | undefined, name: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(pid, name);
  } catch {
    // It has already exited.
  }
}
