import { z } from 'zod';

/** Queue bodies carry ids and nothing else: what a queue holds is not encrypted by us and outlives an erasure (invariant 8). */

/** Make the next attempt of one delivery. An attempt that is not the conversation's next one is a repeat and does nothing. */
export const channelSendJobSchema = z.object({
  v: z.literal(1),
  conversationId: z.uuid(),
  deliveryId: z.uuid(),
  accountId: z.uuid(),
  attempt: z.number().int().positive(),
});

export type ChannelSendJob = z.infer<typeof channelSendJobSchema>;

/** Ask an assistant to answer. A turn that is over, or another attempt than its next one, does nothing. */
export const assistantTurnJobSchema = z.object({
  v: z.literal(1),
  conversationId: z.uuid(),
  turnId: z.uuid(),
  assistantId: z.uuid(),
  attempt: z.number().int().positive(),
});

export type AssistantTurnJob = z.infer<typeof assistantTurnJobSchema>;

/** Deliver one webhook, if it is still due. */
export const webhookJobSchema = z.object({ v: z.literal(1), webhookDeliveryId: z.string().min(1).max(200) });

export type WebhookJob = z.infer<typeof webhookJobSchema>;

/** Copy the files of one message from its provider, or remove them with it. */
export const fileCopyJobSchema = z.object({ v: z.literal(1), conversationId: z.uuid(), messageId: z.uuid() });

export type FileCopyJob = z.infer<typeof fileCopyJobSchema>;

const BATCH = 100;

/** Sends any number of bodies, in the batches of 100 that Queues takes. */
export async function enqueue<T>(queue: Queue<T>, bodies: T[], delaySeconds = 0): Promise<void> {
  for (let start = 0; start < bodies.length; start += BATCH) {
    await queue.sendBatch(bodies.slice(start, start + BATCH).map((body) => ({ body, delaySeconds })));
  }
}
