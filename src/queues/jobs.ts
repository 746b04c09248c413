import { z } from 'zod';

/** Queue bodies carry only ids: we do not encrypt what a queue holds, and it outlives an erasure (invariant 8). */

/** Make the next attempt at one delivery. Any other attempt number marks a repeated job, which does nothing. */
export const channelSendJobSchema = z.object({
  v: z.literal(1),
  conversationId: z.uuid(),
  deliveryId: z.uuid(),
  accountId: z.uuid(),
  attempt: z.number().int().positive(),
});

export type ChannelSendJob = z.infer<typeof channelSendJobSchema>;

/** Ask an assistant to answer. A job for a finished turn, or with any other attempt number than the next, does nothing. */
export const assistantTurnJobSchema = z.object({
  v: z.literal(1),
  conversationId: z.uuid(),
  turnId: z.uuid(),
  assistantId: z.uuid(),
  attempt: z.number().int().positive(),
});

export type AssistantTurnJob = z.infer<typeof assistantTurnJobSchema>;

/** Attempt one webhook delivery, if it is still due. */
export const webhookJobSchema = z.object({ v: z.literal(1), webhookDeliveryId: z.string().min(1).max(200) });

export type WebhookJob = z.infer<typeof webhookJobSchema>;

/** Copy the files of one message from its provider, or remove our copies if the message was deleted. */
export const fileCopyJobSchema = z.object({ v: z.literal(1), conversationId: z.uuid(), messageId: z.uuid() });

export type FileCopyJob = z.infer<typeof fileCopyJobSchema>;

const BATCH = 100;

/** Sends any number of bodies, in batches of 100, which is the limit of Queues. */
export async function enqueue<T>(queue: Queue<T>, bodies: T[], delaySeconds = 0): Promise<void> {
  for (let start = 0; start < bodies.length; start += BATCH) {
    await queue.sendBatch(bodies.slice(start, start + BATCH).map((body) => ({ body, delaySeconds })));
  }
}
