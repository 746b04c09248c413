import type { ConversationAggregate } from './aggregate.ts';
import { Outbox } from '../runtime/outbox.ts';
import type { FlowStart } from '../../domain/conversation/automation/automation.ts';
import { activeflowVariables, conversationVariables } from '../../domain/flow/variables.ts';
import { beginActiveflow } from '../../storage/activeflows.ts';

/** Starts the flows that inbound messages have started here: a row that shows it, and the Workflow that runs it. */
export const flowOutbox = (env: Env, aggregate: ConversationAggregate, committed: () => void): Outbox =>
  new Outbox(
    'flows',
    () => startsOf(aggregate).length > 0,
    async () => {
      for (let start = startsOf(aggregate)[0]; start; start = startsOf(aggregate)[0]) {
        const isStarted = await startFlow(env, aggregate, start);
        if (!isStarted) aggregate.handToPeople({ type: 'flow', id: start.flowId }, 'flow_gone');
        aggregate.dropFlowStart(start.activeflowId);
        if (!isStarted) committed();
      }
    },
  );

const startsOf = (aggregate: ConversationAggregate): FlowStart[] => aggregate.store.record()?.pending.flowStarts ?? [];

/** May be repeated: the row is made once, and a Workflow with this id runs once. False where the flow was deleted: people must answer. */
async function startFlow(env: Env, aggregate: ConversationAggregate, start: FlowStart): Promise<boolean> {
  const conversation = aggregate.store.record()?.conversation;
  if (!conversation) return true;
  const { id, customerId } = conversation;
  const variables = {
    ...activeflowVariables(start.activeflowId, start.flowId, id),
    ...conversationVariables(conversation),
  };
  if (!(await beginActiveflow(env, customerId, id, { ...start, variables }, Date.now()))) return false;
  try {
    await env.FLOWS.create({ id: start.activeflowId, params: { activeflowId: start.activeflowId } });
  } catch (error) {
    if (!(error instanceof Error && error.message.includes('already_exists'))) throw error;
  }
  return true;
}
