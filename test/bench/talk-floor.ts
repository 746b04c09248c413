import { startFloor } from './floor.ts';
import type { BenchTarget } from './talk-place.ts';

/** Rooms that insert one row for each message and send one text to everybody. */
export async function startTalkFloor(): Promise<BenchTarget> {
  const runtime = await startFloor();
  let rooms = 0;
  const newRoom = async () => {
    rooms += 1;
    const door = { url: new URL(`/room${rooms}`, runtime.url), headers: {} };
    return { reader: () => door, writer: () => door, wantsAcks: false, settled: async () => {} };
  };
  return { newRoom, stop: runtime.stop };
}
