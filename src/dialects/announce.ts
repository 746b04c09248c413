import { announceVoicebip } from './voicebip/events.ts';
import { announce, wireEventsOf } from './voipbin/events.ts';
import type { ConversationEvent } from '../domain/conversation/events.ts';
import type { StoredEvent } from '../domain/stored-event.ts';

/** The dialects in which a webhook endpoint can receive events. Talk exists only in VoIPBIN's. */
export const DIALECTS = ['voipbin', 'voicebip'] as const;

export type Dialect = (typeof DIALECTS)[number];

/** The webhook events of one logged event, in every dialect. D1 selects those that an endpoint subscribes to. */
export const announceAll = (sourceId: string, event: ConversationEvent) => [
  ...announce(sourceId, event),
  ...announceVoicebip(sourceId, event),
];

/** The same for a stored event, in one dialect. Notices about other endpoints are left out. */
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
