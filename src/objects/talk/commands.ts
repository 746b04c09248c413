import type { TalkRoom } from './aggregate.ts';
import type { Refusal } from '../../domain/errors.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { Newcomer, OpenCommand, TalkActor, TalkChanges } from '../../domain/talk/commands.ts';
import { decideJoin, decideLeave, decideRead } from '../../domain/talk/decide-participants.ts';
import { decideClose, decideDelete, decideOpen, decideReopen, decideUpdate } from '../../domain/talk/decide-talk.ts';
import type { NewTalkEvent, TalkEvent } from '../../domain/talk/events.ts';
import type { Participant, Talk, TalkState } from '../../domain/talk/state.ts';
import type { Micros } from '../../domain/time.ts';

/** A talk as one agent sees it. */
export interface TalkView {
  state: TalkState;
  /** Other people's messages after its read position, at most UNREAD_LIMIT; 0 for who is not in it. */
  unread: number;
}

/** Where counting stops: "1000" means that many or more. */
const UNREAD_LIMIT = 1000;

export function viewOf(room: TalkRoom, { state, participants }: Talk, agentId: string): TalkView {
  const read = participants.get(agentId)?.readSequence;
  return { state, unread: read === undefined ? 0 : room.store.countUnread(agentId, read, UNREAD_LIMIT) };
}

type Decide = (at: Micros) => Result<NewTalkEvent[], Refusal>;

/** Decides and commits: the events in their place. `rows` go into the same transaction, and only when something happens. */
export function change(
  room: TalkRoom,
  decide: Decide,
  rows?: (messageId: string) => void,
): Result<TalkEvent[], Refusal> {
  const at = room.now();
  const decided = decide(at);
  if (!decided.ok) return decided;
  return ok(decided.value.length > 0 ? room.commit(decided.value, at, rows) : []);
}

/** The same, answered by the talk as it is afterwards. */
function changeTalk(room: TalkRoom, agentId: string, decide: Decide): Result<TalkView, Refusal> {
  const changed = change(room, decide);
  if (!changed.ok) return changed;
  return room.talk ? ok(viewOf(room, room.talk, agentId)) : err({ code: 'TALK_NOT_FOUND' });
}

export const openTalk = (room: TalkRoom, command: OpenCommand, creatorId: string) =>
  changeTalk(room, creatorId, (at) => decideOpen(room.talk, command, at));

export const updateTalk = (room: TalkRoom, actor: TalkActor, changes: TalkChanges) =>
  changeTalk(room, actor.agentId, (at) => decideUpdate(room.talk, actor, changes, at));

export const closeTalk = (room: TalkRoom, actor: TalkActor) =>
  changeTalk(room, actor.agentId, (at) => decideClose(room.talk, actor, at));

export const reopenTalk = (room: TalkRoom, actor: TalkActor, self: Newcomer) =>
  changeTalk(room, actor.agentId, (at) => decideReopen(room.talk, actor, self, at));

export const deleteTalk = (room: TalkRoom, actor: TalkActor) =>
  changeTalk(room, actor.agentId, (at) => decideDelete(room.talk, actor, at));

/** The participant that the newcomer is afterwards, also when it was one before. */
export function joinTalk(room: TalkRoom, actor: TalkActor, newcomer: Newcomer): Result<Participant, Refusal> {
  const changed = change(room, (at) => decideJoin(room.talk, actor, newcomer, at));
  if (!changed.ok) return changed;
  const participant = room.talk?.participants.get(newcomer.agentId);
  return participant ? ok(participant) : err({ code: 'TALK_PARTICIPANT_NOT_FOUND' });
}

/** The participant as it was. */
export function leaveTalk(room: TalkRoom, actor: TalkActor, participantId: string): Result<Participant, Refusal> {
  const changed = change(room, (at) => decideLeave(room.talk, actor, participantId, at));
  if (!changed.ok) return changed;
  const left = changed.value.find((event) => 'participant' in event);
  return left ? ok(left.participant) : err({ code: 'TALK_PARTICIPANT_NOT_FOUND' });
}

/** Null when the position does not move. */
export function moveRead(room: TalkRoom, actor: TalkActor, sequence: number): Result<Participant | null, Refusal> {
  const decided = decideRead(room.talk, actor, sequence);
  if (!decided.ok) return decided;
  const { value } = decided;
  if (room.talk?.participants.get(actor.agentId)?.readSequence === value.readSequence) return ok(null);
  room.saveRead(value, room.now());
  return decided;
}

/** Asked for every socket before every frame. */
export function isParticipant({ talk }: TalkRoom, customerId: string, agentId: string): boolean {
  if (!talk || talk.state.customerId !== customerId || talk.state.deletedAt !== null) return false;
  return talk.participants.has(agentId);
}
