import type { Micros } from '../time.ts';
import type { NewTalkEvent, TalkEvent } from './events.ts';
import { messageIdAt } from './ids.ts';
import type { Participant, Talk, TalkState } from './state.ts';

/** Gives decided events their place in the log: dense sequences after `head`, one timestamp. */
export const place = (events: NewTalkEvent[], head: number, at: Micros): TalkEvent[] =>
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
