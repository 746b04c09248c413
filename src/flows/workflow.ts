import { WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep, type WorkflowStepConfig } from 'cloudflare:workers';
import { z } from 'zod';
import { isTurnOver } from './actions/assistant-reply.ts';
import { runNextAction } from './run.ts';

const paramsSchema = z.object({ activeflowId: z.uuid() });

/** Longer than D1 or an object is ever away: what an action cannot do at all is no exception, and is not tried again. */
const PATIENT: WorkflowStepConfig = {
  retries: { limit: 60, delay: '2 seconds', backoff: 'linear' },
  timeout: '1 minute',
};
/** How long a flow looks after its assistant's turn: debounce, timeout and repeats together take less. */
const LOOKS = 200;
const LONGEST_LOOK_S = 10;

/**
 * Runs one activeflow. Where it stands is in its row in D1 (storage/activeflows.ts); the Workflow brings it forward, survives
 * restarts, and sleeps at no cost. Its parameters and its steps' results hold ids and numbers, never a text.
 */
export class FlowWorkflow extends WorkflowEntrypoint<Env, z.infer<typeof paramsSchema>> {
  override async run(event: Readonly<WorkflowEvent<unknown>>, step: WorkflowStep): Promise<void> {
    const { activeflowId } = paramsSchema.parse(event.payload);
    for (let count = 0; ; count += 1) {
      const next = await step.do(`action ${count}`, PATIENT, () => runNextAction(this.env, activeflowId, count));
      if (next.kind === 'over') return;
      if (next.kind === 'rest') await step.sleep(`rest after ${count}`, next.ms);
      if (next.kind === 'wait') await this.#waitForTurn(step, `turn of ${count}`, next.conversationId, next.turnId);
    }
  }

  /** Until the assistant has answered, kept silent or given up: what comes after its action comes after its answer. */
  async #waitForTurn(step: WorkflowStep, name: string, conversationId: string, turnId: string): Promise<void> {
    for (let look = 0; look < LOOKS; look += 1) {
      await step.sleep(`${name}, pause ${look}`, `${Math.min(look + 1, LONGEST_LOOK_S)} seconds`);
      const isOver = await step.do(`${name}, look ${look}`, PATIENT, () =>
        isTurnOver(this.env, conversationId, turnId),
      );
      if (isOver) return;
    }
  }
}
