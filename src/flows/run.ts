import { assign } from './actions/assign.ts';
import { assistantReply } from './actions/assistant-reply.ts';
import { branch } from './actions/branch.ts';
import { conversationSend } from './actions/conversation-send.ts';
import type { ActionContext } from './context.ts';
import { webhookSend } from './actions/webhook-send.ts';
import type { Action } from '../domain/flow/action.ts';
import { progressAfter, stepTo, type ActionResult, type NextMove, type Progress } from '../domain/flow/progress.ts';
import { conversationVariables, messageVariables } from '../domain/flow/variables.ts';
import { microsOf, type Millis } from '../domain/time.ts';
import { callObject, getConversation } from '../objects/stubs.ts';
import {
  ACTION_MS,
  advanceActiveflow,
  findAnyActiveflow,
  WAKING_MS,
  type Activeflow,
  type Advance,
} from '../storage/activeflows.ts';

const OVER: NextMove = { kind: 'over' };
/** A D1 row holds at most 2 MB, so only the last rounds of a long loop are kept. */
const EXECUTED_KEPT = 200;

/**
 * Runs action number `count` (from 0) and advances the activeflow's row. Idempotent: if the row is already past this action, it returns
 * what followed, and whatever an action does elsewhere carries ids derived from its position.
 * @throws when D1 or an object does not respond: the Workflow retries the step.
 */
export async function runNextAction(env: Env, activeflowId: string, count: number): Promise<NextMove> {
  const found = await findAnyActiveflow(env, activeflowId);
  if (!found || found.status !== 'running') return OVER;
  if (found.steps > count) return found.next;
  const activeflow = { ...found, position: found.resumeAt ?? found.position };
  const action = activeflow.actions[activeflow.position];
  if (!action) return move(env, activeflow, stepTo(activeflow.actions, activeflow.position, activeflow.steps), {});
  const context = await contextOf(env, activeflow, count);
  const result = context ? await runAction(context, action) : GONE;
  const { epoch } = context ?? activeflow;
  return conclude(env, activeflow, action, result, { epoch, ...variablesOf(context) });
}

const GONE: ActionResult = { kind: 'over', code: 'CONVERSATION_NOT_FOUND' };

/** The conversation, the message and their current variables; null if the conversation was deleted. */
async function contextOf(env: Env, activeflow: Activeflow, count: number): Promise<ActionContext | null> {
  const { customerId, conversationId, messageId, epoch } = activeflow;
  const stub = () => getConversation(env, conversationId);
  const found = await callObject(() => stub().read(customerId));
  if (!found.ok) return null;
  const message = await callObject(() => stub().readMessage(customerId, messageId));
  const variables = {
    ...activeflow.variables,
    ...conversationVariables(found.value),
    ...messageVariables(messageId, message.ok ? message.value : null),
  };
  return { env, activeflow, conversation: found.value, variables, count, epoch };
}

/** Without the message's variables: its text stays in one place, where it can be deleted. */
const variablesOf = (context: ActionContext | null): Advance =>
  context ? { variables: { ...context.activeflow.variables, ...conversationVariables(context.conversation) } } : {};

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
      return { kind: 'rest', until: Date.now() + action.option.duration };
    case 'stop':
      return { kind: 'done' };
  }
}

async function conclude(
  env: Env,
  activeflow: Activeflow,
  { id, type }: Action,
  result: ActionResult,
  changes: Advance,
): Promise<NextMove> {
  const steps = activeflow.steps + 1;
  const outcome = 'code' in result ? result.code : 'done';
  const executed = [...activeflow.executed, { id, type, outcome, at: microsOf(Date.now()) }].slice(-EXECUTED_KEPT);
  const progress = progressAfter(activeflow.actions, activeflow.position, result, steps);
  return move(env, activeflow, progress, { ...changes, steps, executed });
}

/** If another run has advanced or stopped the activeflow in the meantime, its result counts. */
async function move(env: Env, activeflow: Activeflow, progress: Progress, changes: Advance): Promise<NextMove> {
  const now = Date.now();
  const advance = { ...progress, ...changes, dueMs: dueAfter(progress.next, now) };
  if (await advanceActiveflow(env, activeflow, advance, now)) return progress.next;
  const moved = await findAnyActiveflow(env, activeflow.id);
  return moved?.status === 'running' ? moved.next : OVER;
}

const dueAfter = (next: NextMove, now: Millis): Millis =>
  next.kind === 'rest' ? next.until + WAKING_MS : now + ACTION_MS;
