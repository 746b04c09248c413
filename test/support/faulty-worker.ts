import worker, {
  AddressObject,
  DirectoryObject,
  FeedObject,
  FlowWorkflow as RealFlowWorkflow,
  ConversationObject as RealConversationObject,
  TalkObject as RealTalkObject,
} from '../../src/worker.ts';
import { withFaults } from './faults.ts';

/** The Worker under test, with bindings that fail on request (faults.ts). Everything else is real. */
export class ConversationObject extends RealConversationObject {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, withFaults(env));
  }
}

export class TalkObject extends RealTalkObject {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, withFaults(env));
  }
}

export class FlowWorkflow extends RealFlowWorkflow {
  constructor(ctx: ExecutionContext, env: Env) {
    super(ctx, withFaults(env));
  }
}

export { AddressObject, DirectoryObject, FeedObject };

export default {
  fetch: (request, env, ctx) => worker.fetch(request, withFaults(env), ctx),
  queue: (batch, env) => worker.queue(batch, withFaults(env)),
  email: (message, env) => worker.email(message, withFaults(env)),
  scheduled: (controller, env) => worker.scheduled(controller, withFaults(env)),
} satisfies ExportedHandler<Env>;
