import type { TalkAggregate, TalkDecision } from './aggregate.ts';
import type { IdempotencyClaim } from '../../domain/conversation/commands.ts';
import type { Refusal } from '../../domain/errors.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { mayAct } from '../../domain/talk/access.ts';
import type { Newcomer, OpenCommand, TalkActor, TalkChanges, TalkEdit, TalkSend } from '../../domain/talk/commands.ts';
import { decideDeleteMessage, decideEdit, decideSend, fingerprintOf } from '../../domain/talk/decide-message.ts';
import { decideJoin, decideLeave, decideRead } from '../../domain/talk/decide-participants.ts';
import { decideReact, decideUnreact } from '../../domain/talk/decide-reaction.ts';
import { decideClose, decideDelete, decideOpen, decideReopen, decideUpdate } from '../../domain/talk/decide-talk.ts';
import type { NewTalkEvent, TalkEvent } from '../../domain/talk/events.ts';
import type { Participant, Talk, TalkMessage, TalkState } from '../../domain/talk/state.ts';
import { HOUR, type Micros } from '../../domain/time.ts';

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
  return { state, unread: read === undefined ? 0 : aggregate.stored.countUnread(agentId, read, UNREAD_LIMIT) };
}

type Decide = (at: Micros) => Result<NewTalkEvent[], Refusal>;

/** Decides and commits. `along`: what else the commit stores; nothing where nothing happens. @returns the events with their places. */
function change(
  aggregate: TalkAggregate,
  decide: Decide,
  along: Omit<TalkDecision, 'at' | 'events'> = {},
): Result<TalkEvent[], Refusal> {
  const at = aggregate.now();
  const decided = decide(at);
  if (!decided.ok) return decided;
  return ok(decided.value.length > 0 ? aggregate.commit({ ...along, at, events: decided.value }) : []);
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

type Answer = Result<TalkMessage, Refusal>;

/** Accepts a message once per idempotency key, and per client_id with the same content. `claim` null: a socket's, which has no such key. */
export function sendMessage(
  aggregate: TalkAggregate,
  actor: TalkActor,
  command: TalkSend,
  claim: IdempotencyClaim | null,
): Answer {
  const allowed = mayAct(aggregate.talk, actor);
  if (!allowed.ok) return allowed;
  const earlier = (claim && earlierByKey(aggregate, claim)) ?? earlierByClient(aggregate, actor, command);
  if (earlier) return earlier;
  const { parentId } = command;
  const hasParent = parentId !== null && aggregate.stored.message(parentId) !== null;
  const sent = change(aggregate, (at) => decideSend(aggregate.talk, actor, command, hasParent, at), usedBy(claim));
  return answer(aggregate, '', sent);
}

const keyOf = ({ key }: IdempotencyClaim): string => `api:${key}`;
const KEY_LIFE_MS = 24 * HOUR;

const usedBy = (claim: IdempotencyClaim | null): Pick<TalkDecision, 'key'> =>
  claim ? { key: { key: keyOf(claim), fingerprint: claim.fingerprint, expiresAt: Date.now() + KEY_LIFE_MS } } : {};

function earlierByKey(aggregate: TalkAggregate, claim: IdempotencyClaim): Answer | null {
  const used = aggregate.stored.keys.used(keyOf(claim), Date.now());
  if (!used) return null;
  return used.fingerprint === claim.fingerprint
    ? presentMessage(aggregate, used.messageId)
    : err({ code: 'IDEMPOTENCY_KEY_REUSED' });
}

/**
 * A client that lost its socket sends again what was not acknowledged, under the same client_id: that is one message. One that counts
 * from 1 again after a reload means another message, and nothing of it may be lost: so the content must be the same too.
 */
function earlierByClient(aggregate: TalkAggregate, { agentId }: TalkActor, command: TalkSend): Answer | null {
  const message = aggregate.messageByClientId(agentId, command.clientId);
  return message?.fingerprint === fingerprintOf(command) ? ok(message) : null;
}

/** The message as the event made it, or as it is where nothing happened; a send always makes one. */
function answer(aggregate: TalkAggregate, messageId: string, changed: Result<TalkEvent[], Refusal>): Answer {
  if (!changed.ok) return changed;
  const event = changed.value.find((each) => 'message' in each);
  return event ? ok(event.message) : presentMessage(aggregate, messageId);
}

function presentMessage(aggregate: TalkAggregate, messageId: string): Answer {
  const message = aggregate.stored.message(messageId);
  return message ? ok(message) : err({ code: 'TALK_MESSAGE_NOT_FOUND' });
}

/** The version before goes into the history. */
export function editMessage(aggregate: TalkAggregate, actor: TalkActor, messageId: string, edit: TalkEdit): Answer {
  const before = aggregate.stored.message(messageId);
  const decide: Decide = (at) => decideEdit(aggregate.talk, actor, before, edit, at);
  return answer(aggregate, messageId, change(aggregate, decide, before ? replacing(before) : {}));
}

const replacing = ({ id: messageId, text, medias, editedAt, createdAt }: TalkMessage) => ({
  replacedVersion: { messageId, version: { text, medias, at: editedAt ?? createdAt } },
});

/** With all its versions. */
export function deleteMessage(aggregate: TalkAggregate, actor: TalkActor, messageId: string): Answer {
  const message = aggregate.stored.message(messageId);
  const decide: Decide = (at) => decideDeleteMessage(aggregate.talk, actor, message, at);
  return answer(aggregate, messageId, change(aggregate, decide, { dropVersionsOf: messageId }));
}

/** `claim`: the request's Idempotency-Key, or null. A repeat is answered by the message as it is then. */
export function react(
  aggregate: TalkAggregate,
  actor: TalkActor,
  messageId: string,
  emoji: string,
  claim: IdempotencyClaim | null,
): Answer {
  const allowed = mayAct(aggregate.talk, actor);
  if (!allowed.ok) return allowed;
  const earlier = claim && earlierByKey(aggregate, claim);
  if (earlier) return earlier;
  const message = aggregate.stored.message(messageId);
  const reacted = change(aggregate, (at) => decideReact(aggregate.talk, actor, message, emoji, at), usedBy(claim));
  return answer(aggregate, messageId, reacted);
}

export function unreact(aggregate: TalkAggregate, actor: TalkActor, messageId: string, emoji: string): Answer {
  const message = aggregate.stored.message(messageId);
  const reacted = change(aggregate, (at) => decideUnreact(aggregate.talk, actor, message, emoji, at));
  return answer(aggregate, messageId, reacted);
}
