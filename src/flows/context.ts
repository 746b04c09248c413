import type { ConversationState } from '../domain/conversation/state.ts';
import type { Refusal } from '../domain/errors.ts';
import type { ActionResult } from '../domain/flow/progress.ts';
import type { Variables } from '../domain/flow/variables.ts';
import type { Activeflow } from '../storage/activeflows.ts';

/** What an action knows when it is run. */
export interface ActionContext {
  env: Env;
  activeflow: Activeflow;
  conversation: ConversationState;
  variables: Variables;
  /** How many actions were run before: what a repeat of this one has in common with it. */
  count: number;
  /** The mode epoch that a fenced flow acts in. An assignment of its own moves it. */
  epoch: number;
}

/** The epoch without which it may not act, or null for a flow that goes on through takeovers (seed 001). */
export const fenceOf = ({ activeflow, epoch }: ActionContext): number | null => (activeflow.fenced ? epoch : null);

/** These end an activeflow; after any other refusal it goes on without this action. */
const FINAL = new Set<Refusal['code']>([
  'MODE_CHANGED',
  'ACTIVEFLOW_STOPPED',
  'CONVERSATION_CLOSED',
  'CONVERSATION_NOT_FOUND',
]);

export const refused = ({ code }: Refusal): ActionResult => ({ kind: FINAL.has(code) ? 'over' : 'failed', code });
