import { withConsent } from './consent.ts';
import type { Alongside, Room } from './aggregate.ts';
import { cancelSends } from './deliver.ts';
import { withoutActiveflow } from '../../domain/conversation/automation/automation.ts';
import type { UpdateCommand } from '../../domain/conversation/commands.ts';
import type { Consent } from '../../domain/conversation/consent.ts';
import { decideConsent, decideDelete, decideUnassign, decideUpdate } from '../../domain/conversation/decide-change.ts';
import { decideDeleteMessage } from '../../domain/conversation/decide-message.ts';
import type { NewConversationEvent } from '../../domain/conversation/events.ts';
import { stopSends } from '../../domain/conversation/automation/fencing.ts';
import type { ConversationState, Message } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import type { Actor } from '../../domain/permissions.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { DAY, type Micros } from '../../domain/time.ts';

/** Longer than a Workflow repeats a step. */
const STEP_LIFE_MS = 7 * DAY;

/** A conversation after a command, and whether the command changed anything. */
export interface Changed {
  conversation: ConversationState;
  changed: boolean;
}

export const updateConversation = (room: Room, command: UpdateCommand): Result<Changed, Refusal> =>
  change(room, command.customerId, (state, at) => decideUpdate(state, command, at));

/** The place of an action in its activeflow: what a repeat of it has in common with it. */
export interface FlowStep {
  activeflowId: string;
  count: number;
}

/** An update by a flow's action, once. @returns the mode epoch that it left. */
export function updateByFlow(room: Room, command: UpdateCommand, step: FlowStep): Result<number, Refusal> {
  const key = `flow:${step.activeflowId} ${step.count}`;
  const done = room.store.keys.used(key, Date.now());
  if (done) return ok(Number(done.fingerprint));
  if (isStopped(room, step.activeflowId)) return err({ code: 'ACTIVEFLOW_STOPPED' });
  const epoch = () => room.store.record()?.conversation.modeEpoch ?? 0;
  const rows = () =>
    room.store.keys.save(key, { messageId: '', fingerprint: String(epoch()) }, Date.now() + STEP_LIFE_MS);
  const changed = change(room, command.customerId, (state, at) => decideUpdate(state, command, at), { rows });
  return changed.ok ? ok(epoch()) : changed;
}

export const unassignConversation = (room: Room, customerId: string, actor: Actor, asOwner: string | null) =>
  change(room, customerId, (state, at) => decideUnassign(state, actor, asOwner, at));

/** The last state is the answer: nothing finds a deleted conversation any more. */
export function deleteConversation(room: Room, customerId: string): Result<ConversationState, Refusal> {
  const deleted = change(room, customerId, (state, at) => ok(decideDelete(state, at)));
  return deleted.ok ? ok(deleted.value.conversation) : deleted;
}

/** Nothing happens where the contact has said something newer. */
export function learnConsent(
  room: Room,
  customerId: string,
  addressName: string,
  { optOut, at: saidAt }: Consent,
): Result<Changed, Refusal> {
  const isNews = saidAt > (room.store.record()?.consents[addressName]?.at ?? 0);
  if (!isNews) return change(room, customerId, () => ok([]));
  const heard = withConsent(room, addressName, { at: saidAt, untold: null });
  return change(room, customerId, (state, at) => ok(decideConsent(state, addressName, optOut, at, 'elsewhere')), heard);
}

export function deleteMessage(room: Room, customerId: string, messageId: string): Result<Message, Refusal> {
  const found = room.findMessage(customerId, messageId);
  if (!found.ok) return found;
  const at = room.now();
  room.commit(decideDeleteMessage(found.value, at), at, { rows: () => cancelSends(room, found.value) });
  return ok(room.store.message(messageId) ?? found.value);
}

const stopKey = (activeflowId: string): string => `stopped:${activeflowId}`;

/** From this commit on nothing of the activeflow is accepted here, and nothing of it waits any more. */
export function stopActiveflow(room: Room, customerId: string, activeflowId: string): Result<null, Refusal> {
  const found = room.find(customerId);
  if (!found.ok) return found;
  const at = room.now();
  const verdict = stopSends(activeflowId, room.underWay(), at);
  room.commit(verdict.events, at, {
    pending: (pending) => withoutActiveflow(pending, activeflowId),
    rows: () => {
      room.keepSends(verdict);
      room.store.keys.save(stopKey(activeflowId), { messageId: '', fingerprint: '' }, null);
    },
  });
  return ok(null);
}

export const isStopped = (room: Room, activeflowId: string | null): boolean =>
  activeflowId !== null && room.store.keys.used(stopKey(activeflowId), Date.now()) !== null;

type Decide = (state: ConversationState, at: Micros) => Result<NewConversationEvent[], Refusal>;

function change(room: Room, customerId: string, decide: Decide, alongside: Alongside = {}) {
  const found = room.find(customerId);
  if (!found.ok) return found;
  const at = room.now();
  const decided = decide(found.value, at);
  if (!decided.ok) return decided;
  room.commit(decided.value, at, alongside);
  const conversation = room.store.record()?.conversation ?? found.value;
  return ok({ conversation, changed: decided.value.length > 0 });
}
