import { isMessageEvent, type ConversationEvent } from '../../domain/conversation/events.ts';
import type { EventType, LogRow } from '../../domain/events.ts';
import type { StoredEvent } from '../../domain/stored-event.ts';
import type { TalkEvent } from '../../domain/talk/events.ts';
import { presentParticipant, presentReacted, presentTalk, presentTalkMessage } from './talk.ts';
import { presentChange } from './change.ts';
import { presentConversation, presentPerson } from './conversation.ts';
import { presentMessage, presentReceived } from './message.ts';

const NAMES = {
  'conversation.created': 'conversation_created',
  'conversation.updated': 'conversation_updated',
  'conversation.closed': 'conversation_closed',
  'conversation.window_closing': 'conversation_window_closing',
  'conversation.deleted': 'conversation_deleted',
  'conversation.participant_added': 'conversation_participant_added',
  'conversation.participant_removed': 'conversation_participant_removed',
  // The wire has no merger events: a merger changes the conversation (`state`, `merged_into`, `participants`).
  'conversation.merged': 'conversation_updated',
  'conversation.merged_from': 'conversation_updated',
  'conversation.unmerged': 'conversation_updated',
  'conversation.unmerged_from': 'conversation_updated',
  'message.created': 'conversation_message_created',
  'message.updated': 'conversation_message_updated',
  'message.deleted': 'conversation_message_deleted',
  'talk.created': 'talk_created',
  'talk.updated': 'talk_updated',
  'talk.closed': 'talk_closed',
  'talk.reopened': 'talk_reopened',
  'talk.deleted': 'talk_deleted',
  'talk.participant_joined': 'participant_joined',
  'talk.participant_left': 'participant_left',
  'talk.message_created': 'message_created',
  'talk.message_updated': 'message_updated',
  'talk.message_deleted': 'message_deleted',
  'talk.reaction_added': 'reaction_added',
  'talk.reaction_removed': 'reaction_removed',
} as const satisfies Record<EventType, string>;

const EXTRA_NAMES = ['conversation_message_received', 'conversation_message_sent'] as const;

/** Notices about an endpoint itself: a requested test, and that it was disabled. */
export const NOTICE_NAMES = ['webhook_test', 'webhook_endpoint_disabled'] as const;

export type WireEventName = (typeof NAMES)[EventType] | (typeof EXTRA_NAMES | typeof NOTICE_NAMES)[number];

/** Every name that an endpoint's `events[]` may hold (spec section 8), each once. */
export const WIRE_EVENT_NAMES: WireEventName[] = [
  ...new Set([...Object.values(NAMES), ...EXTRA_NAMES, ...NOTICE_NAMES]),
];

type LoggedEvent = ConversationEvent | TalkEvent;

const isOfConversation = (event: LoggedEvent): event is ConversationEvent => !event.type.startsWith('talk.');

/** The webhook event names of one logged event. The first one is also its name on live streams. */
export function wireNames(event: LoggedEvent): WireEventName[] {
  const names: WireEventName[] = [NAMES[event.type]];
  if (!isOfConversation(event) || !isMessageEvent(event)) return names;
  if (event.type === 'message.created' && event.message.direction === 'incoming') names.push(EXTRA_NAMES[0]);
  if (event.becameDone) names.push(EXTRA_NAMES[1]);
  return names;
}

/**
 * The constant id of one wire event: `webhook-id` over all attempts and endpoints, and `id` in `GET /v1.0/events`.
 * Derived only from the event's position, so that projecting a log again cannot create a second one. No dots (Standard Webhooks).
 */
export const wireEventId = (sourceId: string, sequence: number, name: string): string => {
  const extra = EXTRA_NAMES.findIndex((known) => known === name);
  return `evt_${sourceId.replaceAll('-', '')}_${sequence}${extra === -1 ? '' : `_${extra + 1}`}`;
};

/** `{type, sequence, data}`, and `change` if the mode, owner or consent changed. The body of a webhook, a socket frame and the data of an SSE event (spec section 11). */
export function presentEvent(event: LoggedEvent, name: string) {
  const data = isOfConversation(event) ? conversationSubject(event, name) : talkSubject(event);
  const change = 'change' in event && event.change ? { change: presentChange(event.change) } : {};
  return { type: name, sequence: event.sequence, data, ...change };
}

function conversationSubject(event: ConversationEvent, name: string) {
  if (!isMessageEvent(event)) {
    const { conversation, participant } = event;
    return participant ? presentPerson(conversation.id, participant) : presentConversation(conversation);
  }
  return name === 'conversation_message_received' ? presentReceived(event.message) : presentMessage(event.message);
}

function talkSubject(event: TalkEvent) {
  if ('talk' in event) return presentTalk(event.talk);
  if ('participant' in event) return presentParticipant(event.participant);
  return 'reaction' in event ? presentReacted(event.message, event.reaction) : presentTalkMessage(event.message);
}

export const presentFrame = (event: LoggedEvent) => presentEvent(event, NAMES[event.type]);

/** The webhook events of one logged event. */
export const announce = (sourceId: string, event: LoggedEvent) =>
  wireNames(event).map((type) => announcement(sourceId, event.sequence, type));

/** A Talk event is always exactly one webhook event, so its row in the log is enough. */
export const announceTalk = (sourceId: string, { sequence, type }: LogRow) =>
  announcement(sourceId, sequence, NAMES[type]);

const announcement = (sourceId: string, sequence: number, type: WireEventName) => ({
  sourceId,
  dialect: 'voipbin',
  eventId: wireEventId(sourceId, sequence, type),
  type,
  sequence,
});

/** A webhook's body (spec section 11). */
export const presentStored = (stored: StoredEvent, name: string) =>
  stored.kind === 'notice'
    ? { type: name, sequence: stored.sequence, data: stored.data }
    : presentEvent(stored.event, name);

/** The webhook events of one stored event, with their constant ids. */
export function wireEventsOf(stored: StoredEvent): { id: string; type: string; sequence: number }[] {
  const { sequence } = stored.kind === 'notice' ? stored : stored.event;
  const names: string[] = stored.kind === 'notice' ? [stored.type] : wireNames(stored.event);
  return names.map((type) => ({ id: wireEventId(stored.sourceId, sequence, type), type, sequence }));
}
