import { setTimeout as sleep } from 'node:timers/promises';

const FIRST_MS = 3_000;
const EVERY_MS = 60_000;
const CRON = encodeURIComponent('* * * * *');

/** `wrangler dev` does not fire crons by itself. A failed run shows in the Worker's log. */
export async function fireCron(origin: string, signal: AbortSignal): Promise<void> {
  for (let wait = FIRST_MS; ; wait = EVERY_MS) {
    await sleep(wait, undefined, { signal });
    await fetch(`${origin}/cdn-cgi/local/scheduled?cron=${CRON}`, { signal }).then(
      (response) => response.body?.cancel(),
      () => undefined,
    );
  }
}
