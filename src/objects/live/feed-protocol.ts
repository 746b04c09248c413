import { z } from 'zod';
import { readerSchema } from './protocol.ts';

/**
 * VoIPBIN's subscribe protocol (facts/voipbin.md 1.7): a client names topics, and gets `{type, sequence, data}` of everything that is
 * published under a topic that begins with one of them, once. There is no cursor: what a socket missed is read elsewhere
 * (`/v1.0/events`, or the resource's own stream).
 */
export const MAX_TOPICS = 64;
const MAX_TOPIC_LENGTH = 200;

/**
 * The protocol has no acknowledgements, and the runtime buffers without bound for a reader that does not read (workerd#988). So a socket
 * gets this much after its last sign of life, any frame or `ping`, and is then closed with 4008. Bytes.
 */
export const FEED_WINDOW = 4 * 1024 * 1024;

export const feedFrameSchema = z.object({
  type: z.enum(['subscribe', 'unsubscribe']),
  topics: z.array(z.string().max(MAX_TOPIC_LENGTH)).max(MAX_TOPICS),
  /** With one, the frame is answered by an `ack` that lists the topics subscribed to then. */
  client_id: z.string().max(255).optional(),
});

/** What outlives an eviction, in the socket's attachment. */
export const feedAttachmentSchema = z.object({
  v: z.literal(1),
  reader: readerSchema,
  topics: z.array(z.string()),
});

/** Events of one conversation or talk, on their way to the customer's FeedObject. */
export interface Publication {
  customerId: string;
  resource: 'conversation' | 'chat';
  id: string;
  /** The agents whom it concerns: it is published under their own topics too. */
  agents: string[];
  /** A person hears of it only when it is one of `agents`, whatever it has subscribed to. */
  isPrivate: boolean;
  events: PublishedEvent[];
}

export interface PublishedEvent {
  type: string;
  /** The frame, as it is sent. */
  text: string;
  /** Agents whom this one concerns beside the others: who has just lost the conversation, or left the talk. */
  also: string[];
}
