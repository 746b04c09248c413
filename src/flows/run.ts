import { assign } from './actions/assign.ts';
import { assistantReply } from './actions/assistant-reply.ts';
import { branch } from './actions/branch.ts';
import { conversationSend } from './actions/conversation-send.ts';
import type { ActionContext } from './context.ts';
import { webhookSend } from './actions/webhook-send.ts';
import type { Action } from '../domain/flow/action.ts';
import { progressAfter, type ActionResult } from '../domain/flow/progress.ts';
import { conversationVariables } from '../domain/flow/variables.ts';
import { microsOf, type Millis } from '../domain/time.ts';
import { callObject, getConversation } from '../objects/stubs.ts';
import { ACTION_MS, advanceActiveflow, findAnyActiveflow, WAKING_MS, type Activeflow } from '../storage/activeflows.ts';

/** What the Workflow does next. */
export type Next =
  | { kind: 'go' }
  | { kind: 'over' }
  | { kind: 'rest'; ms: Millis }
  | { kind: 'wait'; conversationId: string; turnId: string };

/**
 * Runs the action that is the `count`th to run (from 0), and moves the activeflow's row on. May be repeated: sends carry ids that
 * follow from their place, and a row that is past this place has it done already.
 * @throws when D1 or an object does not answer: the Workflow tries again.
 */
export async function runNextAction(env: Env, activeflowId: string, count: number): Promise<Next> {
  const activeflow = await findAnyActiveflow(env, activeflowId);
  if (!activeflow || activeflow.status !== 'running') return { kind: 'over' };
  const action = activeflow.actions[activeflow.position];
  if (activeflow.steps > count || !action) return { kind: 'go' };
  const context = await contextOf(env, activeflow, count);
  if (!context) return conclude(env, activeflow, { kind: 'over', code: 'CONVERSATION_NOT_FOUND' });
  const result = await runAction(context, action);
  return conclude(env, { ...activeflow, variables: context.variables, epoch: context.epoch }, result);
}

/** The conversation and its variables as they are now; null when it is deleted. */
async function contextOf(env: Env, activeflow: Activeflow, count: number): Promise<ActionContext | null> {
  const { customerId, conversationId, epoch } = activeflow;
  const found = await callObject(() => getConversation(env, conversationId).read(customerId));
  if (!found.ok) return null;
  const variables = { ...activeflow.variables, ...conversationVariables(found.value) };
  return { env, activeflow, conversation: found.value, variables, count, epoch };
}

function runAction(context: ActionContext, action: Action): Promise<ActionResult> | ActionResult {
  switch (action.type) {
    case 'conversation_send':
      return conversationSend(context, action);
    case 'webhook_send':
      return webhookSend(context, action);
    case 'assistant_reply':
      return assistantReply(context, action);
    case 'assign':
      return assign(context, action);
    case 'branch':
      return branch(context, action);
    case 'sleep':
      return { kind: 'rest', ms: action.option.duration };
    case 'stop':
      return { kind: 'done' };
  }
}

async function conclude(env: Env, activeflow: Activeflow, result: ActionResult): Promise<Next> {
  const { id, actions, position, conversationId, epoch, variables } = activeflow;
  const now = Date.now();
  const steps = activeflow.steps + 1;
  const progress = progressAfter(actions, position, result, steps);
  const executed = [...activeflow.executed, executedNow(actions[position], result, now)].slice(-EXECUTED_KEPT);
  const dueMs = result.kind === 'rest' ? now + result.ms + WAKING_MS : now + ACTION_MS;
  await advanceActiveflow(env, id, { ...progress, steps, executed, variables, epoch, dueMs }, now);
  if (result.kind === 'wait') return { kind: 'wait', conversationId, turnId: result.turnId };
  if (progress.status !== 'running') return { kind: 'over' };
  return result.kind === 'rest' ? result : { kind: 'go' };
}

/** A row of D1 holds 2 MB: of a long loop the last rounds are kept. */
const EXECUTED_KEPT = 200;

const executedNow = (action: Action | undefined, result: ActionResult, now: Millis) => ({
  id: action?.id ?? '',
  type: action?.type ?? '',
  outcome: 'code' in result ? result.code : 'done',
  at: microsOf(now),
});
