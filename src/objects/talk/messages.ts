import { change } from './commands.ts';
import type { TalkAggregate } from './aggregate.ts';
import type { IdempotencyClaim } from '../../domain/conversation/commands.ts';
import type { Refusal } from '../../domain/errors.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { mayAct } from '../../domain/talk/access.ts';
import type { TalkActor, TalkEdit, TalkSend } from '../../domain/talk/commands.ts';
import { decideDeleteMessage, decideEdit, decideSend } from '../../domain/talk/decide-message.ts';
import { decideReact, decideUnreact } from '../../domain/talk/decide-reaction.ts';
import { fingerprintOf } from '../../domain/talk/fingerprint.ts';
import type { TalkEvent } from '../../domain/talk/events.ts';
import type { TalkMessage } from '../../domain/talk/state.ts';
import { HOUR, type Micros } from '../../domain/time.ts';

const KEY_LIFE_MS = 24 * HOUR;

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
  const hasParent = parentId !== null && aggregate.store.message(parentId) !== null;
  const decide = (at: Micros) => decideSend(aggregate.talk, actor, command, hasParent, at);
  const sent = change(aggregate, decide, (messageId) => keep(aggregate, claim, messageId));
  return answer(aggregate, '', sent);
}

const keyOf = ({ key }: IdempotencyClaim): string => `api:${key}`;

function earlierByKey(aggregate: TalkAggregate, claim: IdempotencyClaim): Answer | null {
  const used = aggregate.store.keys.used(keyOf(claim), Date.now());
  if (!used) return null;
  return used.fingerprint === claim.fingerprint
    ? asItIs(aggregate, used.messageId)
    : err({ code: 'IDEMPOTENCY_KEY_REUSED' });
}

function keep(aggregate: TalkAggregate, claim: IdempotencyClaim | null, messageId: string): void {
  if (claim) aggregate.store.keys.save(keyOf(claim), { ...claim, messageId }, Date.now() + KEY_LIFE_MS);
}

/**
 * A client that lost its socket sends again what was not acknowledged, under the same client_id: that is one message. One that counts
 * from 1 again after a reload means another message: nothing of it may be lost, so what it says must be the same too.
 */
function earlierByClient(aggregate: TalkAggregate, { agentId }: TalkActor, command: TalkSend): Answer | null {
  const messageId = aggregate.clientIds.messageOf(agentId, command.clientId);
  const message = messageId === null ? null : aggregate.store.message(messageId);
  return message?.fingerprint === fingerprintOf(command) ? ok(message) : null;
}

/** The message as the event made it, or as it is where nothing happened; a send always makes one. */
function answer(aggregate: TalkAggregate, messageId: string, changed: Result<TalkEvent[], Refusal>): Answer {
  if (!changed.ok) return changed;
  const event = changed.value.find((each) => 'message' in each);
  return event ? ok(event.message) : asItIs(aggregate, messageId);
}

function asItIs(aggregate: TalkAggregate, messageId: string): Answer {
  const message = aggregate.store.message(messageId);
  return message ? ok(message) : err({ code: 'TALK_MESSAGE_NOT_FOUND' });
}

/** The version before goes into the history. */
export function editMessage(aggregate: TalkAggregate, actor: TalkActor, messageId: string, edit: TalkEdit): Answer {
  const before = aggregate.store.message(messageId);
  const rows = () => {
    if (!before) return;
    const { text, medias, editedAt, createdAt } = before;
    aggregate.store.saveEdit(messageId, { text, medias, at: editedAt ?? createdAt });
  };
  const edited = change(aggregate, (at) => decideEdit(aggregate.talk, actor, before, edit, at), rows);
  return answer(aggregate, messageId, edited);
}

/** With all its versions. */
export function deleteMessage(aggregate: TalkAggregate, actor: TalkActor, messageId: string): Answer {
  const message = aggregate.store.message(messageId);
  const rows = () => aggregate.store.dropEdits(messageId);
  const deleted = change(aggregate, (at) => decideDeleteMessage(aggregate.talk, actor, message, at), rows);
  return answer(aggregate, messageId, deleted);
}

/** `claim`: the request's Idempotency-Key, or null. What is answered again is the message as it is then. */
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
  const message = aggregate.store.message(messageId);
  const reacted = change(
    aggregate,
    (at) => decideReact(aggregate.talk, actor, message, emoji, at),
    () => keep(aggregate, claim, messageId),
  );
  return answer(aggregate, messageId, reacted);
}

export function unreact(aggregate: TalkAggregate, actor: TalkActor, messageId: string, emoji: string): Answer {
  const message = aggregate.store.message(messageId);
  const reacted = change(aggregate, (at) => decideUnreact(aggregate.talk, actor, message, emoji, at));
  return answer(aggregate, messageId, reacted);
}
