import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Call, callWith } from './http.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const NODE = join(ROOT, 'node_modules', '.bin', 'node');
const START_MS = 90_000;
const STOP_MS = 20_000;

/** A Parley as `npm start` runs it, with its own port and state directory. */
export interface TestServer {
  url: string;
  accessKey: string;
  /** The demo customer's sandbox account. */
  sandboxAccount: string;
  stateDir: string;
  /** With the access key. */
  call: Call;
  as: (credential: string | null) => Call;
  /** Sends SIGTERM, which has the effect of Ctrl+C, and waits until all processes have ended. @returns the exit code. */
  stop(): Promise<number | null>;
  /** Kills everything with SIGKILL: starter, wrangler and workerd. */
  kill(): Promise<void>;
  /** Kills the workerd that runs the Worker with SIGKILL. wrangler starts another one. */
  killRuntime(): Promise<void>;
  /** Starts again on the same port and state. */
  start(): Promise<void>;
  /** Calls the scheduled handler, as `npm start` does every minute. */
  fireCron(): Promise<void>;
  /** The server's output since its last start. */
  output(): string;
  /** Stops the server and removes its state. Safe to call at any time. */
  dispose(): Promise<void>;
}

/** Starts a server. `args` go to `wrangler dev`, as `npm start -- <args>`. */
export async function startServer(args: string[] = []): Promise<TestServer> {
  const stateDir = mkdtempSync(join(tmpdir(), 'parley-e2e-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let run = await launch(port, stateDir, args, 1);
  let starts = 1;
  const { accessKey, sandboxAccount } = readBlock(run);
  return {
    url,
    accessKey,
    sandboxAccount,
    stateDir,
    call: callWith(url, accessKey),
    as: (credential) => callWith(url, credential),
    stop: () => stopRun(run),
    kill: () => killRun(run),
    killRuntime: () => killWorker(run, port),
    start: async () => {
      starts += 1;
      run = await launch(port, stateDir, args, starts);
    },
    fireCron: async () => {
      const fired = await fetch(`${url}/cdn-cgi/local/scheduled?cron=${encodeURIComponent('* * * * *')}`);
      await fired.body?.cancel();
    },
    output: () => readFileSync(run.log, 'utf8'),
    dispose: async () => {
      await killRun(run);
      rmSync(stateDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

interface Run {
  child: ChildProcess;
  log: string;
}

const running = new Set<ChildProcess>();
// The backstop for an interrupted test run: the starter ends its own wrangler and workerd.
process.on('exit', () => running.forEach((child) => child.kill('SIGTERM')));

async function launch(port: number, stateDir: string, args: string[], count: number): Promise<Run> {
  const log = join(stateDir, `output-${count}.txt`);
  const file = openSync(log, 'a');
  const child = spawn(NODE, [join('src', 'cli', 'start.ts'), ...args], {
    cwd: ROOT,
    env: { ...process.env, PORT: String(port), STATE_DIR: stateDir },
    stdio: ['ignore', file, file],
  });
  closeSync(file);
  running.add(child);
  child.once('exit', () => running.delete(child));
  const run = { child, log };
  try {
    await waitUntilReady(run);
    return run;
  } catch (error) {
    await killRun(run);
    throw new Error(`${String(error)}\n${readFileSync(log, 'utf8')}`, { cause: error });
  }
}

async function waitUntilReady(run: Run): Promise<void> {
  const end = Date.now() + START_MS;
  while (!/Parley is ready[\s\S]*^ {2}Data .*$/m.test(readFileSync(run.log, 'utf8'))) {
    if (hasEnded(run.child)) throw new Error(`npm start ended with ${run.child.exitCode}.`);
    if (Date.now() > end) throw new Error('npm start did not become ready.');
    await sleep(50);
  }
}

/** Tests know only the block that `npm start` prints, because a newcomer has nothing else. */
function readBlock(run: Run): { accessKey: string; sandboxAccount: string } {
  const text = readFileSync(run.log, 'utf8');
  const accessKey = /^ {2}Demo access key +(\S+)$/m.exec(text)?.[1];
  const sandboxAccount = /^ {2}Sandbox account +(\S+)$/m.exec(text)?.[1];
  if (accessKey === undefined || sandboxAccount === undefined) throw new Error(`no credentials in\n${text}`);
  return { accessKey, sandboxAccount };
}

async function stopRun(run: Run): Promise<number | null> {
  const pids = treeOf(processes(), run.child);
  const exited = hasEnded(run.child) ? null : once(run.child, 'exit');
  run.child.kill('SIGTERM');
  await exited;
  await untilGone(pids);
  return run.child.exitCode;
}

/** Kills the whole tree by its process groups, so that a process that is just being started is killed too. */
async function killRun(run: Run): Promise<void> {
  const rows = processes();
  const pids = treeOf(rows, run.child);
  const leaders = rows.filter(({ pid, group }) => pid === group && pids.includes(pid));
  run.child.kill('SIGKILL');
  leaders.forEach(({ group }) => signal(-group, 'SIGKILL'));
  await untilGone(pids);
}

/** There are two workerd processes: the one that holds the port is wrangler's proxy, the other one runs the Worker. */
async function killWorker(run: Run, port: number): Promise<void> {
  const rows = processes();
  const tree = treeOf(rows, run.child);
  const workers = rows.filter(
    ({ pid, args }) =>
      tree.includes(pid) && /workerd\S* serve/.test(args) && !args.includes(`=entry=127.0.0.1:${port} `),
  );
  if (workers.length !== 1) throw new Error(`expected one runtime, found ${workers.length}`);
  workers.forEach(({ pid }) => signal(pid, 'SIGKILL'));
  await untilGone(workers.map(({ pid }) => pid));
}

interface Process {
  pid: number;
  parent: number;
  group: number;
  args: string;
}

function processes(): Process[] {
  const columns = ['-A', '-ww', '-o', 'pid=,ppid=,pgid=,args='];
  const rows = execFileSync('ps', columns, { encoding: 'utf8', maxBuffer: 2 ** 26 }).split('\n');
  return rows.flatMap((row) => {
    const [, pid, parent, group, args = ''] = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(.*)$/.exec(row) ?? [];
    return pid === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), group: Number(group), args }];
  });
}

/** Selects processes only by id and parent, so that no other server on this machine is touched. */
const treeOf = (rows: Process[], child: ChildProcess): number[] =>
  child.pid === undefined || hasEnded(child) ? [] : [child.pid, ...descendants(rows, child.pid)];

function descendants(rows: Process[], root: number): number[] {
  const children = rows.filter(({ parent }) => parent === root).map(({ pid }) => pid);
  return children.flatMap((pid) => [pid, ...descendants(rows, pid)]);
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

async function untilGone(pids: number[]): Promise<void> {
  const end = Date.now() + STOP_MS;
  while (pids.some(isRunning)) {
    if (Date.now() > end) throw new Error(`still running: ${pids.filter(isRunning).join(', ')}`);
    await sleep(20);
  }
}

/** A zombie process counts as ended. */
function isRunning(pid: number): boolean {
  if (!signal(pid, 0)) return false;
  try {
    return !execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' })
      .trim()
      .startsWith('Z');
  } catch {
    return false;
  }
}

/** A port of 127.0.0.1 on which nothing listens at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
