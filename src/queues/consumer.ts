import type { z } from 'zod';
import { takeTurn } from './assistants/turn.ts';
import { attemptSend } from './channel-sends.ts';
import { failSend } from './dead-letters.ts';
import { copyFiles } from './file-copies.ts';
import { assistantTurnJobSchema, channelSendJobSchema, fileCopyJobSchema, webhookJobSchema } from './jobs.ts';
import { deliverWebhook } from './webhooks/deliver.ts';
import { errorName, log } from '../log.ts';

type Handler = (env: Env, body: unknown) => Promise<void>;

/** A body that does not match the schema can never succeed, so it is logged and dropped. */
const handler =
  <T>(schema: z.ZodType<T>, work: (env: Env, job: T) => Promise<void>): Handler =>
  async (env, body) => {
    const job = schema.safeParse(body);
    if (job.success) await work(env, job.data);
    else log('error', 'malformed queue message dropped');
  };

const HANDLERS: Record<string, Handler> = {
  'channel-sends': handler(channelSendJobSchema, attemptSend),
  'channel-sends-dead': handler(channelSendJobSchema, failSend),
  'assistant-turns': handler(assistantTurnJobSchema, takeTurn),
  'file-copies': handler(fileCopyJobSchema, copyFiles),
  webhooks: handler(webhookJobSchema, deliverWebhook),
};

const RETRY_SECONDS = 5;

/** Each message of a batch is acknowledged on its own, so that a failing one does not redeliver the others. */
export async function consumeQueue(batch: MessageBatch, env: Env): Promise<void> {
  const handle = HANDLERS[batch.queue];
  if (!handle) throw new Error(`no consumer for queue ${batch.queue}`);
  await Promise.all(batch.messages.map((message) => consumeMessage(handle, env, message, batch.queue)));
}

async function consumeMessage(handle: Handler, env: Env, message: Message, queue: string): Promise<void> {
  try {
    await handle(env, message.body);
    message.ack();
  } catch (error) {
    log('warn', 'queue message failed', { queue, attempts: message.attempts, error: errorName(error) });
    message.retry({ delaySeconds: RETRY_SECONDS });
  }
}
