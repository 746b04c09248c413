import type { ConversationState } from '../domain/conversation/state.ts';
import type { Refusal } from '../domain/errors.ts';
import type { ActionResult } from '../domain/flow/progress.ts';
import type { Variables } from '../domain/flow/variables.ts';
import type { Activeflow } from '../storage/activeflows.ts';

/** The input of an action. */
export interface ActionContext {
  env: Env;
  activeflow: Activeflow;
  conversation: ConversationState;
  variables: Variables;
  /** How many actions ran before this one. A repeat has the same count. */
  count: number;
  /** The mode epoch in which a fenced flow acts. The flow's own assignment advances it. */
  epoch: number;
}

/** The epoch that the conversation must still have, or null for a flow that continues after takeovers (seed 001). */
export const fenceOf = ({ activeflow, epoch }: ActionContext): number | null => (activeflow.fenced ? epoch : null);

/** These refusals end an activeflow. After any other one it continues with the next action. */
const FINAL = new Set<Refusal['code']>([
  'MODE_CHANGED',
  'ACTIVEFLOW_STOPPED',
  'CONVERSATION_CLOSED',
  'CONVERSATION_NOT_FOUND',
]);

export const refused = ({ code }: Refusal): ActionResult => ({ kind: FINAL.has(code) ? 'over' : 'failed', code });
