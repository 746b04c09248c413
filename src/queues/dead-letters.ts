import type { ChannelSendJob } from './jobs.ts';
import { log } from '../log.ts';
import { callObject, getConversation } from '../objects/stubs.ts';

/**
 * Ends a send that its consumer repeatedly failed to finish: the delivery fails visibly instead of being lost.
 * If another attempt has claimed it in the meantime, that attempt or its lease ends it.
 */
export async function failSend(env: Env, job: ChannelSendJob): Promise<void> {
  log('error', 'send became a dead letter', { conversation: job.conversationId, delivery: job.deliveryId });
  const stub = () => getConversation(env, job.conversationId);
  const policy = { idempotent: true, receiptWaitMs: 0 };
  const order = await callObject(() => stub().claim(job.deliveryId, job.attempt, policy));
  if (!order) return;
  const outcome = { kind: 'rejected', code: 'DEAD_LETTER', text: 'the send could not be processed' } as const;
  await callObject(() => stub().report(job.deliveryId, job.attempt, outcome));
}
