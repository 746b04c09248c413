import { errorName, log } from '../log.ts';
import { MINUTE, SECOND } from '../domain/time.ts';
import { endActiveflow, overdueActiveflows, postponeCheck } from '../storage/activeflows.ts';

const OVERDUE_LIMIT = 20;
const PAUSE_CHECKS = 20;
const PAUSE_CHECK_MS = SECOND / 10;

/**
 * The backstop for Workflows: wakes activeflows that should have continued by now. When the local runtime is killed it forgets which
 * instances were running, and restores one only when it is resumed from a pause. In production this matters only after D1 or an object was
 * unavailable for a long time; there the pause falls between two steps and ends immediately.
 */
export async function wakeFlows(env: Env, now: number): Promise<void> {
  const overdue = await overdueActiveflows(env, now, OVERDUE_LIMIT);
  await Promise.all(overdue.map((id) => wake(env, id, now)));
}

async function wake(env: Env, id: string, now: number): Promise<void> {
  // First, so that an activeflow that cannot be woken does not block the others.
  await postponeCheck(env, id, now + MINUTE);
  try {
    await resume(env, id);
  } catch (error) {
    if (error instanceof Error && error.message.includes('not_found')) {
      await env.FLOWS.create({ id, params: { activeflowId: id } });
    } else {
      log('warn', 'activeflow could not be resumed', { activeflow: id, error: errorName(error) });
    }
  }
}

async function resume(env: Env, id: string): Promise<void> {
  const instance = await env.FLOWS.get(id);
  const { status } = await instance.status();
  if (status === 'errored' || status === 'terminated' || status === 'complete') {
    // The Workflow ended although its row says that it is running: it failed.
    return endActiveflow(env, id, 'failed', `WORKFLOW_${status.toUpperCase()}`, Date.now());
  }
  if (status !== 'paused') await pause(instance);
  await instance.resume();
}

async function pause(instance: WorkflowInstance): Promise<void> {
  await instance.pause();
  for (let checks = 0; checks < PAUSE_CHECKS && (await instance.status()).status !== 'paused'; checks += 1)
    await scheduler.wait(PAUSE_CHECK_MS);
}
