import { EVENTS, type EventType, type EventTypeAbout, type Placed } from '../events.ts';
import type { Participant, Reaction, TalkMessage, TalkState } from './state.ts';

/** An event of a talk before it has its place in the log. It carries its subject as it is after the event. */
export type NewTalkEvent =
  | { type: EventTypeAbout<'talk'>; talk: TalkState }
  | { type: EventTypeAbout<'participant'>; participant: Participant }
  | { type: EventTypeAbout<'talk_message'>; message: TalkMessage }
  | { type: EventTypeAbout<'reaction'>; message: TalkMessage; reaction: Reaction };

export type TalkEvent = Placed<NewTalkEvent>;

const SUBJECTS: readonly string[] = ['talk', 'participant', 'talk_message', 'reaction'];

export const isTalkEventType = (type: EventType): type is NewTalkEvent['type'] => SUBJECTS.includes(EVENTS[type]);
