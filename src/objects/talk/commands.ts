import type { TalkAggregate } from './aggregate.ts';
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

export function viewOf(aggregate: TalkAggregate, { state, participants }: Talk, agentId: string): TalkView {
  const read = participants.get(agentId)?.readSequence;
  return { state, unread: read === undefined ? 0 : aggregate.store.countUnread(agentId, read, UNREAD_LIMIT) };
}

type Decide = (at: Micros) => Result<NewTalkEvent[], Refusal>;

/** Decides and commits: the events in their place. `rows` go into the same transaction, and only when something happens. */
export function change(
  aggregate: TalkAggregate,
  decide: Decide,
  rows?: (messageId: string) => void,
): Result<TalkEvent[], Refusal> {
  const at = aggregate.now();
  const decided = decide(at);
  if (!decided.ok) return decided;
  return ok(decided.value.length > 0 ? aggregate.commit(decided.value, at, rows) : []);
}

/** The same, answered by the talk as it is afterwards. */
function changeTalk(aggregate: TalkAggregate, agentId: string, decide: Decide): Result<TalkView, Refusal> {
  const changed = change(aggregate, decide);
  if (!changed.ok) return changed;
  return aggregate.talk ? ok(viewOf(aggregate, aggregate.talk, agentId)) : err({ code: 'TALK_NOT_FOUND' });
}

export const openTalk = (aggregate: TalkAggregate, command: OpenCommand, creatorId: string) =>
  changeTalk(aggregate, creatorId, (at) => decideOpen(aggregate.talk, command, at));

export const updateTalk = (aggregate: TalkAggregate, actor: TalkActor, changes: TalkChanges) =>
  changeTalk(aggregate, actor.agentId, (at) => decideUpdate(aggregate.talk, actor, changes, at));

export const closeTalk = (aggregate: TalkAggregate, actor: TalkActor) =>
  changeTalk(aggregate, actor.agentId, (at) => decideClose(aggregate.talk, actor, at));

export const reopenTalk = (aggregate: TalkAggregate, actor: TalkActor, self: Newcomer) =>
  changeTalk(aggregate, actor.agentId, (at) => decideReopen(aggregate.talk, actor, self, at));

export const deleteTalk = (aggregate: TalkAggregate, actor: TalkActor) =>
  changeTalk(aggregate, actor.agentId, (at) => decideDelete(aggregate.talk, actor, at));

/** The participant that the newcomer is afterwards, also when it was one before. */
export function joinTalk(aggregate: TalkAggregate, actor: TalkActor, newcomer: Newcomer): Result<Participant, Refusal> {
  const changed = change(aggregate, (at) => decideJoin(aggregate.talk, actor, newcomer, at));
  if (!changed.ok) return changed;
  const participant = aggregate.talk?.participants.get(newcomer.agentId);
  return participant ? ok(participant) : err({ code: 'TALK_PARTICIPANT_NOT_FOUND' });
}

/** The participant as it was. */
export function leaveTalk(
  aggregate: TalkAggregate,
  actor: TalkActor,
  participantId: string,
): Result<Participant, Refusal> {
  const changed = change(aggregate, (at) => decideLeave(aggregate.talk, actor, participantId, at));
  if (!changed.ok) return changed;
  const left = changed.value.find((event) => 'participant' in event);
  return left ? ok(left.participant) : err({ code: 'TALK_PARTICIPANT_NOT_FOUND' });
}

/** Null when the position does not move. */
export function moveRead(
  aggregate: TalkAggregate,
  actor: TalkActor,
  sequence: number,
): Result<Participant | null, Refusal> {
  const decided = decideRead(aggregate.talk, actor, sequence);
  if (!decided.ok) return decided;
  const { value } = decided;
  if (aggregate.talk?.participants.get(actor.agentId)?.readSequence === value.readSequence) return ok(null);
  aggregate.saveRead(value, aggregate.now());
  return decided;
}

/** Asked for every socket before every frame. */
export function isParticipant({ talk }: TalkAggregate, customerId: string, agentId: string): boolean {
  if (!talk || talk.state.customerId !== customerId || talk.state.deletedAt !== null) return false;
  return talk.participants.has(agentId);
}
