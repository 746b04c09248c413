import { fenceOf, refused, type ActionContext } from '../context.ts';
import type { ActionOf } from '../../domain/flow/action.ts';
import type { ActionResult } from '../../domain/flow/progress.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
import { uuidFrom } from '../../security/encoding.ts';
import { ACTION_MS, findAnyActiveflow, postponeCheck } from '../../storage/activeflows.ts';
import { findAssistant } from '../../storage/assistants.ts';

/**
 * Has an assistant answer the message that started the flow. The conversation's object owns the turn: several flows that ask for the same
 * assistant get one answer, and the assistant is not asked while people answer.
 */
export async function assistantReply(
  context: ActionContext,
  { option }: ActionOf<'assistant_reply'>,
): Promise<ActionResult> {
  const { env, activeflow, conversation, count } = context;
  const { id: activeflowId, customerId, messageId } = activeflow;
  const assistant = await findAssistant(env, customerId, option.assistant_id);
  if (!assistant) return { kind: 'failed', code: 'ASSISTANT_NOT_FOUND' };
  const turnId = await uuidFrom(`turn ${activeflowId} ${count}`);
  const { id: assistantId, debounceMs } = assistant;
  const wanted = { turnId, messageId, assistantId, debounceMs, epoch: fenceOf(context), activeflowId };
  const mustWait = await callObject(() => getConversation(env, conversation.id).requestTurn(customerId, wanted));
  if (mustWait.ok) return mustWait.value ? { kind: 'wait', turnId } : { kind: 'failed', code: 'ALREADY_ANSWERED' };
  // While people answer, no assistant does. A flow that is not fenced continues anyway (seed 001).
  const { code } = mustWait.error;
  return code === 'MODE_CHANGED' && !activeflow.fenced ? { kind: 'failed', code } : refused(mustWait.error);
}

/** Checks a turn that an activeflow waits for. While the turn is open, the activeflow is not overdue. */
export async function isTurnOver(env: Env, activeflowId: string, turnId: string): Promise<boolean> {
  const activeflow = await findAnyActiveflow(env, activeflowId);
  if (activeflow?.status !== 'running') return true;
  const isOpen = await callObject(() => getConversation(env, activeflow.conversationId).isTurnOpen(turnId));
  if (isOpen) await postponeCheck(env, activeflowId, Date.now() + 2 * ACTION_MS);
  return !isOpen;
}
