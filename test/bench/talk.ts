import { exit } from 'node:process';
import { parseArgs } from 'node:util';
import { measureCell, type Cell, type TalkFigures } from './talk-cell.ts';
import { startTalkFloor } from './talk-floor.ts';
import { startTalkHub } from './talk-hub.ts';
import type { BenchTarget } from './talk-place.ts';

const BUSY = 0.95;

/**
 * `npm run bench -- talk [--seconds 3 --readers 10,100,300,1000 --writers 1,4,16]`: how many messages a second a talk takes, and how soon
 * its readers have them. Writers wait for their own message to come back. Each cell is measured in turn with a floor: a bare object
 * that inserts one row and sends one text to everybody.
 */
export async function benchTalk(args: string[]): Promise<void> {
  const { seconds, readers, writers } = options(args);
  const floor = await startTalkFloor();
  const hub = await startTalkHub(Math.max(...writers));
  try {
    console.log(`${seconds} s each, in turn; the built bundle in Miniflare, without the dev proxy\n\n${HEADING}`);
    const cells = readers.flatMap((some) => writers.map((few) => ({ readers: some, writers: few, seconds })));
    for (const cell of cells) console.log(line(cell, await measured(floor, cell), await measured(hub, cell)));
    console.log(NOTES);
  } finally {
    await Promise.all([floor.stop(), hub.stop()]);
  }
}

async function measured(location: BenchTarget, cell: Cell): Promise<TalkFigures> {
  const room = await location.newRoom();
  const figures = await measureCell(room, cell);
  await room.settled();
  return figures;
}

function options(args: string[]): { seconds: number; readers: number[]; writers: number[] } {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string', default: '3' },
      readers: { type: 'string', default: '10,100,300,1000' },
      writers: { type: 'string', default: '1,4,16' },
    },
  });
  const seconds = Number(values.seconds);
  const readers = values.readers.split(',').map(Number);
  const writers = values.writers.split(',').map(Number);
  if (seconds > 0 && [...readers, ...writers].every((count) => Number.isInteger(count) && count > 0))
    return { seconds, readers, writers };
  console.error(
    '--seconds takes a number above 0, --readers and --writers whole numbers above 0 with commas between them',
  );
  exit(2);
}

const HEADING = `                    floor: delivery and echo, ms             hub: delivery and echo, ms
readers writers    msg/s    p50    p99   p50    p99     msg/s    p50    p99   p50    p99   hub/floor`;

const NOTES = `
Delivery: from the writer's send until a reader has it. Echo: until the writer itself has it; then it sends the next.
*: the clients' own thread was busy all the time, and may be what was measured.`;

function line({ readers, writers }: Cell, floor: TalkFigures, hub: TalkFigures): string {
  const ratio = (hub.perSecond / floor.perSecond).toFixed(2);
  return `${String(readers).padStart(7)} ${String(writers).padStart(7)}  ${side(floor)}  ${side(hub)}  ${ratio.padStart(8)}`;
}

function side({ perSecond, delivery, echo, clientLoad }: TalkFigures): string {
  const times = [delivery.p50, delivery.p99, echo.p50, echo.p99].map((ms) => ms.toFixed(1).padStart(6));
  return `${perSecond.toFixed(0).padStart(7)}${clientLoad > BUSY ? '*' : ' '}${times.join(' ')}`;
}
