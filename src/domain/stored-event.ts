import type { ConversationEvent } from './conversation/events.ts';
import type { TalkEvent } from './talk/events.ts';

/** An event as history keeps it: out of a conversation's or a talk's log, or a webhook endpoint's own notice. */
export type StoredEvent = { position: number; sourceId: string } & (
  | { kind: 'conversation'; event: ConversationEvent }
  | { kind: 'talk'; event: TalkEvent }
  | { kind: 'notice'; type: string; sequence: number; at: number; data: Record<string, string> }
);
