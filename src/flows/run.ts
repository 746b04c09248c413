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
/** A row of D1 holds 2 MB: of a long loop the last rounds are kept. */
const EXECUTED_KEPT = 200;

/**
 * Runs the action that is the `count`th to run (from 0), and moves the activeflow's row on. May be repeated: a row that is past this
 * place says again what came after it, and what an action does elsewhere carries ids that follow from its place.
 * @throws when D1 or an object does not answer: the Workflow tries again.
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

/** The conversation, the message and their variables as they are now; null when the conversation is deleted. */
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

/** Without the message's: its text stays where it can be deleted. */
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
  learnt: Advance,
): Promise<NextMove> {
  const steps = activeflow.steps + 1;
  const outcome = 'code' in result ? result.code : 'done';
  const executed = [...activeflow.executed, { id, type, outcome, at: microsOf(Date.now()) }].slice(-EXECUTED_KEPT);
  const progress = progressAfter(activeflow.actions, activeflow.position, result, steps);
  return move(env, activeflow, progress, { ...learnt, steps, executed });
}

/** Where somebody else has moved it on meanwhile, or stopped it, their word is the answer. */
async function move(env: Env, activeflow: Activeflow, progress: Progress, more: Advance): Promise<NextMove> {
  const now = Date.now();
  const advance = { ...progress, ...more, dueMs: dueAfter(progress.next, now) };
  if (await advanceActiveflow(env, activeflow, advance, now)) return progress.next;
  const moved = await findAnyActiveflow(env, activeflow.id);
  return moved?.status === 'running' ? moved.next : OVER;
}

const dueAfter = (next: NextMove, now: Millis): Millis =>
  next.kind === 'rest' ? next.until + WAKING_MS : now + ACTION_MS;
