import type { Room } from './aggregate.ts';
import { Outbox } from '../runtime/outbox.ts';
import type { FlowStart } from '../../domain/conversation/automation/automation.ts';
import { activeflowVariables, conversationVariables } from '../../domain/flow/variables.ts';
import { beginActiveflow } from '../../storage/activeflows.ts';

/** Starts the flows that inbound messages have started here: a row that shows it, and the Workflow that runs it. */
export const flowOutbox = (env: Env, room: Room, committed: () => void): Outbox =>
  new Outbox(
    'flows',
    () => startsOf(room).length > 0,
    async () => {
      for (let start = startsOf(room)[0]; start; start = startsOf(room)[0]) {
        const isStarted = await startFlow(env, room, start);
        if (!isStarted) room.handToPeople({ type: 'flow', id: start.flowId }, 'flow_gone');
        room.dropFlowStart(start.activeflowId);
        if (!isStarted) committed();
      }
    },
  );

const startsOf = (room: Room): FlowStart[] => room.store.record()?.pending.flowStarts ?? [];

/** May be repeated: the row is made once, and a Workflow with this id runs once. False where the flow was deleted: people must answer. */
async function startFlow(env: Env, room: Room, start: FlowStart): Promise<boolean> {
  const conversation = room.store.record()?.conversation;
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
