import type { Room } from './room.ts';
import { cancelSends } from './deliver.ts';
import type { UpdateCommand } from '../../domain/conversation/commands.ts';
import { decideConsent, decideDelete, decideUnassign, decideUpdate } from '../../domain/conversation/decide-change.ts';
import { decideDeleteMessage } from '../../domain/conversation/decide-message.ts';
import type { NewConversationEvent } from '../../domain/conversation/events.ts';
import type { ConversationState, Message } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import type { Actor } from '../../domain/permissions.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { Micros } from '../../domain/time.ts';

/** A conversation after a command, and whether the command changed anything. */
export interface Changed {
  conversation: ConversationState;
  changed: boolean;
}

export const updateConversation = (room: Room, command: UpdateCommand, activeflowId: string | null) =>
  change(room, command.customerId, (state, at) =>
    isStopped(room, activeflowId) ? err({ code: 'ACTIVEFLOW_STOPPED' }) : decideUpdate(state, command, at),
  );

export const unassignConversation = (room: Room, customerId: string, actor: Actor, asOwner: string | null) =>
  change(room, customerId, (state, at) => decideUnassign(state, actor, asOwner, at));

/** The last state is the answer: nothing finds a deleted conversation any more. */
export function deleteConversation(room: Room, customerId: string): Result<ConversationState, Refusal> {
  const deleted = change(room, customerId, (state, at) => ok(decideDelete(state, at)));
  return deleted.ok ? ok(deleted.value.conversation) : deleted;
}

export const learnConsent = (room: Room, customerId: string, optOut: boolean): Result<Changed, Refusal> =>
  change(room, customerId, (state, at) => ok(decideConsent(state, optOut, at)));

export function deleteMessage(room: Room, customerId: string, messageId: string): Result<Message, Refusal> {
  const found = room.findMessage(customerId, messageId);
  if (!found.ok) return found;
  const at = room.now();
  room.commit(decideDeleteMessage(found.value, at), at, { rows: () => cancelSends(room, found.value) });
  return ok(room.store.message(messageId) ?? found.value);
}

const stopKey = (activeflowId: string): string => `stopped:${activeflowId}`;

/** From this commit on nothing of the activeflow is accepted here. */
export function stopActiveflow(room: Room, customerId: string, activeflowId: string): Result<null, Refusal> {
  const found = room.find(customerId);
  if (!found.ok) return found;
  room.storage.transactionSync(() =>
    room.store.keys.save(stopKey(activeflowId), { messageId: '', fingerprint: '' }, null),
  );
  room.dropFlowStart(activeflowId);
  return ok(null);
}

export const isStopped = (room: Room, activeflowId: string | null): boolean =>
  activeflowId !== null && room.store.keys.used(stopKey(activeflowId), Date.now()) !== null;

type Decide = (state: ConversationState, at: Micros) => Result<NewConversationEvent[], Refusal>;

function change(room: Room, customerId: string, decide: Decide): Result<Changed, Refusal> {
  const found = room.find(customerId);
  if (!found.ok) return found;
  const at = room.now();
  const decided = decide(found.value, at);
  if (!decided.ok) return decided;
  room.commit(decided.value, at);
  const conversation = room.store.record()?.conversation ?? found.value;
  return ok({ conversation, changed: decided.value.length > 0 });
}
