import { errorName, log } from '../log.ts';
import { SECOND } from '../domain/time.ts';
import { advanceActiveflow, overdueActiveflows } from '../storage/activeflows.ts';

const AT_ONCE = 20;
const LOOKS = 20;
const LOOK_MS = SECOND / 10;

/**
 * The net under the Workflows: an activeflow that should have gone on by now is woken. The local runtime forgets which instances run
 * when it is killed, and brings one back only when it is resumed from a pause; in production this finds nothing to do.
 */
export async function wakeFlows(env: Env, now: number): Promise<void> {
  const overdue = await overdueActiveflows(env, now, AT_ONCE);
  await Promise.all(overdue.map((id) => wake(env, id)));
}

async function wake(env: Env, id: string): Promise<void> {
  try {
    const instance = await env.FLOWS.get(id);
    const { status } = await instance.status();
    if (status === 'errored' || status === 'terminated' || status === 'complete') return await end(env, id, status);
    await instance.pause();
    for (let looks = 0; looks < LOOKS && (await instance.status()).status !== 'paused'; looks += 1)
      await scheduler.wait(LOOK_MS);
    await instance.resume();
  } catch (error) {
    log('warn', 'activeflow not woken', { activeflow: id, error: errorName(error) });
  }
}

/** A Workflow that is over while its row says otherwise failed on the way. */
const end = (env: Env, id: string, status: string): Promise<void> =>
  advanceActiveflow(env, id, { status: 'failed', error: `WORKFLOW_${status.toUpperCase()}` }, Date.now());
