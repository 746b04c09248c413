import { EVENTS, type EventType, type EventTypeAbout, type Placed, readOwnJson, type LogRow } from '../events.ts';
import type { Participant, Reaction, TalkMessage, TalkState, Talk } from './state.ts';
import type { Micros } from '../time.ts';
import { messageIdAt } from './ids.ts';

/** An event of a talk before it has its place in the log. It carries its subject as it is after the event. */
export type NewTalkEvent =
  | { type: EventTypeAbout<'talk'>; talk: TalkState }
  | { type: EventTypeAbout<'participant'>; participant: Participant }
  | { type: EventTypeAbout<'talk_message'>; message: TalkMessage }
  | { type: EventTypeAbout<'reaction'>; message: TalkMessage; reaction: Reaction };

export type TalkEvent = Placed<NewTalkEvent>;

const SUBJECTS: readonly string[] = ['talk', 'participant', 'talk_message', 'reaction'];

export const isTalkEventType = (type: EventType): type is NewTalkEvent['type'] => SUBJECTS.includes(EVENTS[type]);

/** Gives decided events their place in the log: dense sequences after `head`, one timestamp. */
export const sequenceEvents = (events: NewTalkEvent[], head: number, at: Micros): TalkEvent[] =>
  events.map((event, index) => placeOne(event, head + index + 1, at));

/** A message's place is that of its event, and makes its id; who joins has nothing unread from before. */
function placeOne(event: NewTalkEvent, sequence: number, at: Micros): TalkEvent {
  if (event.type === 'talk.message_created') {
    const id = messageIdAt(event.message.talkId, sequence);
    return { ...event, message: { ...event.message, id, sequence }, sequence, at };
  }
  if (event.type === 'talk.participant_joined') {
    return { ...event, participant: { ...event.participant, readSequence: sequence }, sequence, at };
  }
  if ('talk' in event) return { ...event, talk: { ...event.talk, sequence }, sequence, at };
  return { ...event, sequence, at };
}

/** The talk after one event. Replaying a log from nothing gives the talk that the object holds. */
export function applyEvent(talk: Talk | null, event: TalkEvent): Talk {
  if ('talk' in event) {
    return { state: event.talk, participants: talk?.participants ?? new Map() };
  }
  if (!talk) throw new Error(`event ${event.sequence} has no talk before it`);
  const state = { ...talk.state, sequence: event.sequence };
  if ('participant' in event) return withParticipant({ ...talk, state }, event);
  if (event.type !== 'talk.message_created') return { ...talk, state };
  return { ...talk, state: { ...state, lastMessageAt: event.message.createdAt } };
}

function withParticipant(talk: Talk, event: TalkEvent & { participant: Participant }): Talk {
  const { participant } = event;
  const participants = new Map(talk.participants);
  if (event.type === 'talk.participant_joined') participants.set(participant.agentId, participant);
  else participants.delete(participant.agentId);
  const pair = talk.state.pair ?? pairOf(talk.state, [...participants.keys()]);
  return { state: { ...talk.state, memberCount: participants.size, pair }, participants };
}

/** The second participant makes a 1:1 talk the pair's, for good. */
function pairOf({ type }: TalkState, agents: string[]): string[] | null {
  const [first, second] = agents.toSorted();
  return type === 'normal' && first !== undefined && second !== undefined ? [first, second] : null;
}

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
