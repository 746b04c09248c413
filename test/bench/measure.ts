export interface Figures {
  name: string;
  perSecond: number;
  /** Of the acknowledgement, in milliseconds. */
  p50: number;
  p99: number;
}

/** Closed loop: each client sends its next request when the last one is answered. The first second is warm-up and not counted. */
export async function measure(
  name: string,
  seconds: number,
  clients: number,
  request: (client: number, count: number) => Promise<void>,
): Promise<Figures> {
  await run(1, clients, request);
  const { times, elapsed } = await run(seconds, clients, request);
  return { name, perSecond: times.length / (elapsed / 1000), ...spread(times) };
}

/** The middle one, and the one that one in a hundred is above. */
export function spread(times: number[]): { p50: number; p99: number } {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

let total = 0;

async function run(seconds: number, clients: number, request: (client: number, count: number) => Promise<void>) {
  const times: number[] = [];
  const start = performance.now();
  const end = start + seconds * 1000;
  const loop = async (client: number) => {
    while (performance.now() < end) {
      const began = performance.now();
      await request(client, (total += 1));
      times.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, client) => loop(client)));
  return { times, elapsed: performance.now() - start };
}
