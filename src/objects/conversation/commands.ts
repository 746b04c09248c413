import { withConsent } from './consent.ts';
import type { CommitExtras, ConversationAggregate } from './aggregate.ts';
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

export const updateConversation = (
  aggregate: ConversationAggregate,
  command: UpdateCommand,
): Result<Changed, Refusal> => change(aggregate, command.customerId, (state, at) => decideUpdate(state, command, at));

/** The place of an action in its activeflow: what a repeat of it has in common with it. */
export interface FlowStep {
  activeflowId: string;
  count: number;
}

/** An update by a flow's action, once. @returns the mode epoch that it left. */
export function updateByFlow(
  aggregate: ConversationAggregate,
  command: UpdateCommand,
  step: FlowStep,
): Result<number, Refusal> {
  const key = `flow:${step.activeflowId} ${step.count}`;
  const done = aggregate.store.keys.used(key, Date.now());
  if (done) return ok(Number(done.fingerprint));
  if (isStopped(aggregate, step.activeflowId)) return err({ code: 'ACTIVEFLOW_STOPPED' });
  const epoch = () => aggregate.store.record()?.conversation.modeEpoch ?? 0;
  const rows = () =>
    aggregate.store.keys.save(key, { messageId: '', fingerprint: String(epoch()) }, Date.now() + STEP_LIFE_MS);
  const changed = change(aggregate, command.customerId, (state, at) => decideUpdate(state, command, at), { rows });
  return changed.ok ? ok(epoch()) : changed;
}

export const unassignConversation = (
  aggregate: ConversationAggregate,
  customerId: string,
  actor: Actor,
  asOwner: string | null,
) => change(aggregate, customerId, (state, at) => decideUnassign(state, actor, asOwner, at));

/** The last state is the answer: nothing finds a deleted conversation any more. */
export function deleteConversation(
  aggregate: ConversationAggregate,
  customerId: string,
): Result<ConversationState, Refusal> {
  const deleted = change(aggregate, customerId, (state, at) => ok(decideDelete(state, at)));
  return deleted.ok ? ok(deleted.value.conversation) : deleted;
}

/** Nothing happens where the contact has said something newer. */
export function learnConsent(
  aggregate: ConversationAggregate,
  customerId: string,
  addressName: string,
  { optOut, at: saidAt }: Consent,
): Result<Changed, Refusal> {
  const isNews = saidAt > (aggregate.store.record()?.consents[addressName]?.at ?? 0);
  if (!isNews) return change(aggregate, customerId, () => ok([]));
  const heard = withConsent(aggregate, addressName, { at: saidAt, untold: null });
  return change(
    aggregate,
    customerId,
    (state, at) => ok(decideConsent(state, addressName, optOut, at, 'elsewhere')),
    heard,
  );
}

export function deleteMessage(
  aggregate: ConversationAggregate,
  customerId: string,
  messageId: string,
): Result<Message, Refusal> {
  const found = aggregate.findMessage(customerId, messageId);
  if (!found.ok) return found;
  const at = aggregate.now();
  aggregate.commit(decideDeleteMessage(found.value, at), at, { rows: () => cancelSends(aggregate, found.value) });
  return ok(aggregate.store.message(messageId) ?? found.value);
}

const stopKey = (activeflowId: string): string => `stopped:${activeflowId}`;

/** From this commit on nothing of the activeflow is accepted here, and nothing of it waits any more. */
export function stopActiveflow(
  aggregate: ConversationAggregate,
  customerId: string,
  activeflowId: string,
): Result<null, Refusal> {
  const found = aggregate.find(customerId);
  if (!found.ok) return found;
  const at = aggregate.now();
  const withdrawnSends = stopSends(activeflowId, aggregate.underWay(), at);
  aggregate.commit(withdrawnSends.events, at, {
    pending: (pending) => withoutActiveflow(pending, activeflowId),
    rows: () => {
      aggregate.saveWithdrawn(withdrawnSends);
      aggregate.store.keys.save(stopKey(activeflowId), { messageId: '', fingerprint: '' }, null);
    },
  });
  return ok(null);
}

export const isStopped = (aggregate: ConversationAggregate, activeflowId: string | null): boolean =>
  activeflowId !== null && aggregate.store.keys.used(stopKey(activeflowId), Date.now()) !== null;

type Decide = (state: ConversationState, at: Micros) => Result<NewConversationEvent[], Refusal>;

function change(aggregate: ConversationAggregate, customerId: string, decide: Decide, extras: CommitExtras = {}) {
  const found = aggregate.find(customerId);
  if (!found.ok) return found;
  const at = aggregate.now();
  const decided = decide(found.value, at);
  if (!decided.ok) return decided;
  aggregate.commit(decided.value, at, extras);
  const conversation = aggregate.store.record()?.conversation ?? found.value;
  return ok({ conversation, changed: decided.value.length > 0 });
}
