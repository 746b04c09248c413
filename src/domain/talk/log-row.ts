import { EVENTS, type EventType, type EventTypeAbout } from '../events.ts';
import { readOwnJson, type LogRow } from '../log-row.ts';
import type { Micros } from '../time.ts';
import type { TalkEvent } from './events.ts';
import type { Participant, Reaction, TalkMessage, TalkState } from './state.ts';

/** What an event about a message fixed; the content stands in the message's own row. */
interface MessageFacts {
  updatedAt: Micros;
  editedAt: Micros | null;
  deletedAt: Micros | null;
}

export function toLogRow(event: TalkEvent): LogRow {
  const { sequence, type, at } = event;
  if ('talk' in event) return { sequence, type, messageId: null, facts: JSON.stringify(event.talk), at };
  if ('participant' in event) return { sequence, type, messageId: null, facts: JSON.stringify(event.participant), at };
  const { id: messageId, updatedAt, editedAt, deletedAt } = event.message;
  const facts = 'reaction' in event ? event.reaction : ({ updatedAt, editedAt, deletedAt } satisfies MessageFacts);
  return { sequence, type, messageId, facts: JSON.stringify(facts), at };
}

/** The event again, with the message's content as it is now. `message` is null for events that are about none. */
export function fromLogRow(row: LogRow, message: TalkMessage | null): TalkEvent {
  const { sequence, at, type, facts } = row;
  if (isAbout(type, 'talk')) return { type, talk: { ...readOwnJson<TalkState>(facts), sequence }, sequence, at };
  if (isAbout(type, 'participant')) return { type, participant: readOwnJson<Participant>(facts), sequence, at };
  if (!message) throw new Error(`event ${sequence} (${type}) names no message of this log`);
  if (isAbout(type, 'reaction')) return { type, message, reaction: readOwnJson<Reaction>(facts), sequence, at };
  if (!isAbout(type, 'talk_message')) throw new Error(`event ${sequence} (${type}) is none of a talk`);
  return { type, message: { ...message, ...readOwnJson<MessageFacts>(facts) }, sequence, at };
}

const isAbout = <S extends (typeof EVENTS)[EventType]>(type: EventType, subject: S): type is EventTypeAbout<S> =>
  EVENTS[type] === subject;
