import type { ConversationEvent } from './conversation/events.ts';

/** An event as history keeps it: out of a conversation's log, or a webhook endpoint's own notice. */
export type StoredEvent = { position: number; sourceId: string } & (
  | { kind: 'log'; event: ConversationEvent }
  | { kind: 'notice'; type: string; sequence: number; at: number; data: Record<string, string> }
);
