import { announceVoicebip } from './voicebip/events.ts';
import { announce, wireEventsOf } from './voipbin/events.ts';
import type { ConversationEvent } from '../domain/conversation/events.ts';
import type { StoredEvent } from '../domain/stored-event.ts';

/** The forms in which a webhook endpoint can have its events. Talk is told in VoIPBIN's alone: Voicebip has no such thing. */
export const DIALECTS = ['voipbin', 'voicebip'] as const;

export type Dialect = (typeof DIALECTS)[number];

/** The webhook events that one logged event stands for, in every dialect; D1 picks those that an endpoint wants. */
export const announceAll = (sourceId: string, event: ConversationEvent) => [
  ...announce(sourceId, event),
  ...announceVoicebip(sourceId, event),
];

/** The same for an event out of history, in one dialect. Another endpoint's own affairs are nothing that this one missed. */
export function announceStored(stored: StoredEvent, dialect: string) {
  if (stored.kind === 'notice') return [];
  const { sourceId } = stored;
  if (dialect === 'voicebip') return stored.kind === 'conversation' ? announceVoicebip(sourceId, stored.event) : [];
  return wireEventsOf(stored).map(({ id: eventId, type, sequence }) => ({
    sourceId,
    dialect,
    eventId,
    type,
    sequence,
  }));
}
