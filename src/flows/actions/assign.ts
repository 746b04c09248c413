import { fenceOf, refused, type ActionContext } from '../context.ts';
import type { ActionOf } from '../../domain/flow/action.ts';
import type { ActionResult } from '../../domain/flow/progress.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
import { findAgent } from '../../storage/agents.ts';

/** Assigns the conversation to an agent. A fenced flow is not fenced out by its own assignment: it continues in the new epoch. */
export async function assign(context: ActionContext, { option }: ActionOf<'assign'>): Promise<ActionResult> {
  const { env, activeflow, conversation, count } = context;
  const { customerId } = activeflow;
  if (!(await findAgent(env, customerId, option.owner_id))) return { kind: 'failed', code: 'AGENT_NOT_FOUND' };
  const fence = fenceOf(context);
  const command = {
    customerId,
    actor: { type: 'flow' as const, id: activeflow.id },
    ownerId: option.owner_id,
    ...(fence === null ? {} : { fence }),
  };
  const step = { activeflowId: activeflow.id, count };
  const epoch = await callObject(() => getConversation(env, conversation.id).updateByFlow(command, step));
  if (!epoch.ok) return refused(epoch.error);
  context.epoch = epoch.value;
  return { kind: 'done' };
}
