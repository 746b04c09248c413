import { fenceOf, refused, type ActionContext } from '../context.ts';
import { send, SEND_DEFAULTS } from '../../app/conversations/send.ts';
import type { ActionOf } from '../../domain/flow/action.ts';
import type { ActionResult } from '../../domain/flow/progress.ts';
import { expand } from '../../domain/flow/variables.ts';

/**
 * Sends to everybody in the conversation, in the flow's name. The ids are derived from the activeflow and the action's count, so a repeat
 * is the same message.
 */
export async function conversationSend(
  context: ActionContext,
  { option }: ActionOf<'conversation_send'>,
): Promise<ActionResult> {
  const { env, activeflow, conversation, count } = context;
  const text = expand(option.text, context.variables);
  if (text.trim() === '') return { kind: 'failed', code: 'EMPTY_TEXT' };
  const request = {
    ...SEND_DEFAULTS,
    customerId: activeflow.customerId,
    actor: { type: 'flow' as const, id: activeflow.id },
    actorName: activeflow.flowName,
    activeflowId: activeflow.id,
    fence: fenceOf(context),
    text,
    seed: `${activeflow.id} ${count}`,
  };
  const sent = await send(env, request, conversation);
  if (sent.ok) return { kind: 'done' };
  // Nobody in the conversation has a channel that accepts it.
  const isTooLong = sent.error.code === 'INVALID_FIELD' && sent.error.field === 'text';
  return isTooLong ? { kind: 'failed', code: 'TEXT_TOO_LONG' } : refused(sent.error);
}
