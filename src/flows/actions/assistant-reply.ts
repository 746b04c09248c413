import { fenceOf, type ActionContext } from '../context.ts';
import { refused } from './refusal.ts';
import type { ActionOf } from '../../domain/flow/action.ts';
import type { ActionResult } from '../../domain/flow/progress.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
import { findAssistant } from '../../storage/assistants.ts';

/**
 * Has an assistant answer the message that started the flow. The conversation's object takes the turn: several flows that ask for the
 * same assistant get one answer, and nothing is asked where people answer.
 */
export async function assistantReply(
  context: ActionContext,
  { option }: ActionOf<'assistant_reply'>,
): Promise<ActionResult> {
  const { env, activeflow, conversation } = context;
  const assistant = await findAssistant(env, activeflow.customerId, option.assistant_id);
  if (!assistant) return { kind: 'failed', code: 'ASSISTANT_NOT_FOUND' };
  const wanted = {
    id: activeflow.messageId,
    assistantId: assistant.id,
    epoch: fenceOf(context),
    debounceMs: assistant.debounceMs,
    activeflowId: activeflow.id,
  };
  const asked = await callObject(() =>
    getConversation(env, conversation.id).requestTurn(activeflow.customerId, wanted),
  );
  if (asked.ok) return asked.value === null ? { kind: 'done' } : { kind: 'wait', turnId: asked.value };
  // Where people answer, no assistant does; a flow that is not fenced goes on all the same (seed 001).
  return asked.error.code === 'MODE_CHANGED' && !activeflow.fenced
    ? { kind: 'failed', code: asked.error.code }
    : refused(asked.error);
}

export const isTurnOver = async (env: Env, conversationId: string, turnId: string): Promise<boolean> =>
  !(await callObject(() => getConversation(env, conversationId).isTurnOpen(turnId)));
