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
