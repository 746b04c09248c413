import { exit } from 'node:process';
import { parseArgs } from 'node:util';
import { startFloor } from './floor.ts';
import { startHub } from './hub.ts';
import { measure, type Figures } from './measure.ts';

/**
 * `npm run bench [-- --seconds 5 --clients 16]`: how many messages a second the hub takes, and after how long it acknowledges them,
 * beside a floor measured in the same run and on the same runtime: a bare object that inserts one row for each request.
 * A figure alone says little about a machine; the ratio says what our own work costs.
 */
export async function benchThroughput(args: string[]): Promise<void> {
  const { seconds, clients } = options(args);
  const floor = await startFloor();
  const hub = await startHub();
  try {
    console.log(
      `${clients} clients, ${seconds} s each, in turn; the built bundle in Miniflare, without the dev proxy\n`,
    );
    const bare = await measure('floor: one row in a bare object', seconds, clients, floor.insert);
    show(bare, bare);
    for (const [name, request] of hub.requests) show(await measure(name, seconds, clients, request), bare);
  } finally {
    await Promise.all([floor.stop(), hub.stop()]);
  }
}

function options(args: string[]): { seconds: number; clients: number } {
  const { values } = parseArgs({
    args,
    options: { seconds: { type: 'string', default: '5' }, clients: { type: 'string', default: '16' } },
  });
  const seconds = Number(values.seconds);
  const clients = Number(values.clients);
  if (seconds > 0 && clients > 0) return { seconds, clients };
  console.error('--seconds and --clients take numbers above 0');
  exit(2);
}

function show(figures: Figures, base: Figures): void {
  const ratio = (figures.perSecond / base.perSecond).toFixed(2);
  const { name, perSecond, p50, p99 } = figures;
  console.log(
    `${name.padEnd(46)} ${perSecond.toFixed(0).padStart(6)}/s  p50 ${p50.toFixed(1).padStart(6)} ms  p99 ${p99.toFixed(1).padStart(6)} ms  ${ratio} of the floor`,
  );
}
