import { createHash } from 'node:crypto';
import { change } from './commands.ts';
import type { TalkRoom } from './room.ts';
import type { IdempotencyClaim } from '../../domain/conversation/commands.ts';
import type { Refusal } from '../../domain/errors.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { mayAct } from '../../domain/talk/access.ts';
import type { TalkActor, TalkEdit, TalkSend } from '../../domain/talk/commands.ts';
import { decideDeleteMessage, decideEdit, decideSend } from '../../domain/talk/decide-message.ts';
import { decideReact, decideUnreact } from '../../domain/talk/decide-reaction.ts';
import type { TalkMessage } from '../../domain/talk/state.ts';
import { HOUR } from '../../domain/time.ts';

const KEY_LIFE_MS = 24 * HOUR;

type Answer = Result<TalkMessage, Refusal>;

/** Accepts a message once per id (a repeated RPC), per idempotency key, and per client_id with the same content. */
export function sendMessage(
  room: TalkRoom,
  actor: TalkActor,
  command: TalkSend,
  idempotency: IdempotencyClaim | null,
): Answer {
  const allowed = mayAct(room.talk, actor);
  if (!allowed.ok) return allowed;
  const keys = keysOf(actor, command, idempotency);
  const earlier = earlierAnswer(room, command.messageId, keys);
  if (earlier) return earlier;
  const { parentId, messageId } = command;
  const hasParent = parentId !== null && room.store.message(parentId) !== null;
  const expires = Date.now() + KEY_LIFE_MS;
  const rows = () =>
    keys.forEach(({ key, fingerprint }) => room.store.keys.save(key, { messageId, fingerprint }, expires));
  const sent = change(room, (at) => decideSend(room.talk, actor, command, hasParent, at), rows);
  return sent.ok ? asItIs(room, messageId) : sent;
}

interface Key {
  key: string;
  fingerprint: string;
  /** Whether the same key with something else is a mistake, or just something else. */
  strict: boolean;
}

/**
 * A client that lost its socket sends again what was not acknowledged, under the same client_id: that is one message. One that counts
 * from 1 again after a reload means another message: nothing of it may be lost, so the content must be the same too.
 */
function keysOf(actor: TalkActor, command: TalkSend, idempotency: IdempotencyClaim | null): Key[] {
  const keys: Key[] = [];
  if (idempotency) keys.push({ key: `api:${idempotency.key}`, fingerprint: idempotency.fingerprint, strict: true });
  if (command.clientId !== '') {
    const content = JSON.stringify([command.text, command.medias, command.parentId]);
    const fingerprint = createHash('sha256').update(content).digest('base64');
    keys.push({ key: `client:${actor.agentId}:${command.clientId}`, fingerprint, strict: false });
  }
  return keys;
}

function earlierAnswer(room: TalkRoom, messageId: string, keys: Key[]): Answer | null {
  if (room.store.message(messageId)) return asItIs(room, messageId);
  for (const { key, fingerprint, strict } of keys) {
    const used = room.store.keys.used(key, Date.now());
    if (used?.fingerprint === fingerprint) return asItIs(room, used.messageId);
    if (used && strict) return err({ code: 'IDEMPOTENCY_KEY_REUSED' });
  }
  return null;
}

function asItIs(room: TalkRoom, messageId: string): Answer {
  const message = room.store.message(messageId);
  return message ? ok(message) : err({ code: 'TALK_MESSAGE_NOT_FOUND' });
}

/** The version before goes into the history. */
export function editMessage(room: TalkRoom, actor: TalkActor, messageId: string, edit: TalkEdit): Answer {
  const before = room.store.message(messageId);
  const rows = () => {
    if (!before) return;
    const { text, medias, editedAt, createdAt } = before;
    room.store.saveEdit(messageId, { text, medias, at: editedAt ?? createdAt });
  };
  const edited = change(room, (at) => decideEdit(room.talk, actor, before, edit, at), rows);
  return edited.ok ? asItIs(room, messageId) : edited;
}

/** With all its versions. */
export function deleteMessage(room: TalkRoom, actor: TalkActor, messageId: string): Answer {
  const message = room.store.message(messageId);
  const rows = () => room.store.dropEdits(messageId);
  const deleted = change(room, (at) => decideDeleteMessage(room.talk, actor, message, at), rows);
  return deleted.ok ? asItIs(room, messageId) : deleted;
}

export function react(room: TalkRoom, actor: TalkActor, messageId: string, emoji: string): Answer {
  const message = room.store.message(messageId);
  const reacted = change(room, (at) => decideReact(room.talk, actor, message, emoji, at));
  return reacted.ok ? asItIs(room, messageId) : reacted;
}

export function unreact(room: TalkRoom, actor: TalkActor, messageId: string, emoji: string): Answer {
  const message = room.store.message(messageId);
  const reacted = change(room, (at) => decideUnreact(room.talk, actor, message, emoji, at));
  return reacted.ok ? asItIs(room, messageId) : reacted;
}
