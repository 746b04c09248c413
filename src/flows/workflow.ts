import { WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep, type WorkflowStepConfig } from 'cloudflare:workers';
import { z } from 'zod';
import { isTurnOver } from './actions/assistant-reply.ts';
import { runNextAction } from './run.ts';
import { errorName } from '../log.ts';

const paramsSchema = z.object({ activeflowId: z.uuid() });

/** Covers any outage of D1 or of an object. What an action cannot do is a result, not an exception, and is not retried. */
const RETRYING: WorkflowStepConfig = {
  retries: { limit: 60, delay: '2 seconds', backoff: 'linear' },
  timeout: '1 minute',
};
/** How often a flow checks its assistant's turn: enough for the longest possible turn (20 failures of a minute each). */
const MAX_CHECKS = 200;
const MAX_PAUSE_S = 30;

/**
 * Runs one activeflow. Its progress is in its D1 row (storage/activeflows.ts); the Workflow advances it, survives restarts, and sleeps at
 * no cost. Parameters, step results and errors hold ids and numbers, never message text.
 */
export class FlowWorkflow extends WorkflowEntrypoint<Env, z.infer<typeof paramsSchema>> {
  override async run(event: Readonly<WorkflowEvent<unknown>>, step: WorkflowStep): Promise<void> {
    const { activeflowId } = paramsSchema.parse(event.payload);
    for (let count = 0; ; count += 1) {
      const next = await step.do(`action ${count}`, RETRYING, () =>
        withoutErrorText(async () => {
          const move = await runNextAction(this.env, activeflowId, count);
          // A Workflow sleeps for a duration, not until a time. A time in the past needs no sleep.
          return move.kind === 'rest' ? { ...move, ms: Math.max(1, move.until - Date.now()) } : move;
        }),
      );
      if (next.kind === 'over') return;
      if (next.kind === 'rest') await step.sleep(`rest after ${count}`, next.ms);
      if (next.kind === 'wait') await this.#waitForTurn(step, `turn of ${count}`, activeflowId, next.turnId);
    }
  }

  /** Waits until the assistant has answered, stayed silent or given up, so that later actions follow its answer. */
  async #waitForTurn(step: WorkflowStep, name: string, activeflowId: string, turnId: string): Promise<void> {
    for (let check = 0; check < MAX_CHECKS; check += 1) {
      await step.sleep(`${name}, pause ${check}`, `${Math.min(check + 1, MAX_PAUSE_S)} seconds`);
      const isOver = await step.do(`${name}, look ${check}`, RETRYING, () =>
        withoutErrorText(() => isTurnOver(this.env, activeflowId, turnId)),
      );
      if (isOver) return;
    }
  }
}

/** The platform stores and shows what a step throws, and a D1 error quotes the query with all its values. */
async function withoutErrorText<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // Without the cause, which must not be stored.
    throw new Error(errorName(error));
  }
}
