import type { Micros } from './time.ts';

/**
 * THE event table: everything that can happen, and what each entry is about.
 * The log, D1, webhooks, live streams and the dialects' catalogues all derive from it.
 */
export const EVENTS = {
  'conversation.created': 'conversation',
  'conversation.updated': 'conversation',
  'conversation.closed': 'conversation',
  'conversation.window_closing': 'conversation',
  'conversation.deleted': 'conversation',
  'conversation.participant_added': 'conversation',
  'conversation.participant_removed': 'conversation',
  /** It ends here and goes on in another conversation. */
  'conversation.merged': 'conversation',
  /** Another conversation goes on in this one. */
  'conversation.merged_from': 'conversation',
  /** It goes on by itself again. */
  'conversation.unmerged': 'conversation',
  /** The other conversation goes on by itself again. */
  'conversation.unmerged_from': 'conversation',
  'message.created': 'message',
  'message.updated': 'message',
  'message.deleted': 'message',
  'talk.created': 'talk',
  'talk.updated': 'talk',
  'talk.closed': 'talk',
  'talk.reopened': 'talk',
  'talk.deleted': 'talk',
  'talk.participant_joined': 'participant',
  'talk.participant_left': 'participant',
  'talk.message_created': 'talk_message',
  'talk.message_updated': 'talk_message',
  'talk.message_deleted': 'talk_message',
  'talk.reaction_added': 'reaction',
  'talk.reaction_removed': 'reaction',
} as const;

export type EventType = keyof typeof EVENTS;

/** The types of the events that are about one kind of subject. */
export type EventTypeAbout<Subject> = {
  [T in EventType]: (typeof EVENTS)[T] extends Subject ? T : never;
}[EventType];

/** An event in its place in the log of its object. */
export type Placed<E> = E & { sequence: number; at: number };

export const isEventType = (text: string): text is EventType => text in EVENTS;

/**
 * An event as the log keeps it. A message's content stands in one place only, its own row: what the log adds are the facts
 * that this event fixed. So a deleted text is gone from every replay at once, and the log stays small.
 */
export interface LogRow {
  sequence: number;
  type: EventType;
  messageId: string | null;
  facts: string;
  at: Micros;
}

/** JSON that we wrote ourselves, into our own row. The one place that believes it; everything from outside goes through zod. */
export const readOwnJson = <T>(text: string): T => JSON.parse(text) as T;

/** The same for a part of such JSON that has been parsed already. */
export const readOwnValue = <T>(value: unknown): T => value as T;
