import { EVENTS, type EventTypeAbout, type Placed } from '../events.ts';
import type { Change } from './change.ts';
import type { FallbackOptions } from './delivery/channel-choice.ts';
import type { Participant } from './identity/participants.ts';
import type { ConversationState, Message } from './state.ts';

/** An event before it has its place in the log. It carries its subject as it is after the event. */
export type NewConversationEvent =
  | {
      type: EventTypeAbout<'conversation'>;
      conversation: ConversationState;
      change: Change | null;
      /** Who joined or left, where that is what happened. */
      participant?: Participant;
    }
  | {
      type: EventTypeAbout<'message'>;
      message: Message;
      /** True on the one event with which an outgoing message got through (`progressing` or `failed` → `done`). */
      becameDone: boolean;
      /** Of its new deliveries: the ways that are tried next when one fails for good. They are kept beside the log, and told nobody. */
      fallbackOptions?: FallbackOptions;
    };

export type ConversationEvent = Placed<NewConversationEvent>;

export const isMessageEvent = (
  event: ConversationEvent,
): event is Extract<ConversationEvent, { type: EventTypeAbout<'message'> }> => EVENTS[event.type] === 'message';
