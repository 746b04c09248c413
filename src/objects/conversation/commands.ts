import type { ConversationAggregate, Decision } from './aggregate.ts';
import { isStopped } from './automation.ts';
import { unbegunSendsOf } from './send.ts';
import type { Opening, UpdateCommand } from '../../domain/conversation/commands.ts';
import type { Consent } from '../../domain/conversation/consent.ts';
import {
  decideConsent,
  decideDelete,
  decideUnassign,
  decideUpdate,
  isOver,
} from '../../domain/conversation/decide-change.ts';
import { openConversation } from '../../domain/conversation/decide-inbound.ts';
import { decideDeleteMessage } from '../../domain/conversation/decide-message.ts';
import { type NewConversationEvent, fromLogRow } from '../../domain/conversation/events.ts';
import type { AbsorbedConversation } from '../../domain/contacts.ts';
import {
  decideAdd,
  decideReleaseAddresses,
  decideRemove,
} from '../../domain/conversation/identity/decide-membership.ts';
import {
  absorbedIn,
  decideAttachPerson,
  decideMerge,
  decideSplitOff,
  decideUnmerge,
  type PersonAttachment,
} from '../../domain/conversation/identity/merge.ts';

import type {
  ConversationState,
  Message,
  Settings,
  ContactAddress,
  NewParticipant,
} from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import type { Actor } from '../../domain/permissions.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { DAY, type Micros } from '../../domain/time.ts';

/** A conversation after a command, and whether the command changed anything. */
export interface Changed {
  conversation: ConversationState;
  changed: boolean;
}

type Decide = (state: ConversationState, at: Micros) => Result<NewConversationEvent[], Refusal>;

/** Loads, decides and commits. `along`: what else the commit stores, also where nothing happens. */
function change(
  aggregate: ConversationAggregate,
  customerId: string,
  decide: Decide,
  along: Decision = {},
): Result<Changed, Refusal> {
  const found = aggregate.find(customerId);
  if (!found.ok) return found;
  const at = aggregate.now();
  const decided = decide(found.value, at);
  if (!decided.ok) return decided;
  aggregate.commit({ ...along, at, events: decided.value });
  return ok({ conversation: aggregate.conversation ?? found.value, changed: decided.value.length > 0 });
}

const conversationIn = (changed: Result<Changed, Refusal>): Result<ConversationState, Refusal> =>
  changed.ok ? ok(changed.value.conversation) : changed;

export const updateConversation = (aggregate: ConversationAggregate, command: UpdateCommand) =>
  change(aggregate, command.customerId, (state, at) => decideUpdate(state, command, at));

/** The position of an action in its activeflow: what a repeat of it has in common with it. */
export interface FlowStep {
  activeflowId: string;
  count: number;
}

/** Longer than a Workflow repeats a step. */
const STEP_LIFE_MS = 7 * DAY;

/** An update by a flow's action, once. @returns the mode epoch that it left. */
export function updateByFlow(
  aggregate: ConversationAggregate,
  command: UpdateCommand,
  step: FlowStep,
): Result<number, Refusal> {
  const key = `flow:${step.activeflowId} ${step.count}`;
  const done = aggregate.stored.keys.used(key, Date.now());
  if (done) return ok(Number(done.fingerprint));
  if (isStopped(aggregate, step.activeflowId)) return err({ code: 'ACTIVEFLOW_STOPPED' });
  const found = aggregate.find(command.customerId);
  if (!found.ok) return found;
  const at = aggregate.now();
  const decided = decideUpdate(found.value, command, at);
  if (!decided.ok) return decided;
  const { modeEpoch } = stateAfter(found.value, decided.value);
  const used = { messageId: '', fingerprint: String(modeEpoch), expiresAt: Date.now() + STEP_LIFE_MS };
  aggregate.commit({ at, events: decided.value, keys: [{ key, ...used }] });
  return ok(modeEpoch);
}

const stateAfter = (before: ConversationState, events: NewConversationEvent[]): ConversationState =>
  events.reduce((state, event) => ('conversation' in event ? event.conversation : state), before);

export const unassignConversation = (
  aggregate: ConversationAggregate,
  customerId: string,
  actor: Actor,
  asOwner: string | null,
) => change(aggregate, customerId, (state, at) => decideUnassign(state, actor, asOwner, at));

/** The last state is the answer: nothing finds a deleted conversation any more. */
export const deleteConversation = (aggregate: ConversationAggregate, customerId: string) =>
  conversationIn(change(aggregate, customerId, (state, at) => ok(decideDelete(state, at))));

/** What the contact said in another conversation. Changes nothing where it has said something newer here. */
export function learnConsent(
  aggregate: ConversationAggregate,
  customerId: string,
  addressName: string,
  { optOut, at: saidAt }: Consent,
): Result<Changed, Refusal> {
  const { consents = {} } = aggregate.record ?? {};
  const isNews = saidAt > (consents[addressName]?.at ?? 0);
  if (!isNews) return change(aggregate, customerId, () => ok([]));
  const heard = { consents: { ...consents, [addressName]: { at: saidAt, unpublished: null } } };
  return change(aggregate, customerId, (state, at) => ok(decideConsent(state, addressName, optOut, at, 'elsewhere')), {
    record: heard,
  });
}

export function deleteMessage(
  aggregate: ConversationAggregate,
  customerId: string,
  messageId: string,
): Result<Message, Refusal> {
  const found = aggregate.findMessage(customerId, messageId);
  if (!found.ok) return found;
  const at = aggregate.now();
  const events = decideDeleteMessage(found.value, at);
  aggregate.commit({ at, events, dropSends: unbegunSendsOf(aggregate, found.value) });
  return ok(aggregate.stored.message(messageId) ?? found.value);
}

/** Opens a conversation with its people, or adds those who are missing to the one that is there. */
export interface OpenCommand {
  customerId: string;
  /** Null: it must exist. */
  opening: Opening | null;
  people: NewParticipant[];
  settings: Settings;
}

export function openWith(
  aggregate: ConversationAggregate,
  { customerId, opening, people, settings }: OpenCommand,
): Result<ConversationState, Refusal> {
  if (aggregate.isErased()) return err({ code: 'CONVERSATION_CLOSED' });
  const present = aggregate.conversation;
  if (present ? present.customerId !== customerId : opening === null) return err({ code: 'CONVERSATION_NOT_FOUND' });
  if (present && isOver(present)) return err({ code: 'CONVERSATION_CLOSED' });
  const at = aggregate.now();
  const decided = present ? decideAddAll(present, people, at) : ok(opening ? [created(opening, at)] : []);
  if (!decided.ok) return decided;
  aggregate.commit({ at, events: decided.value, record: { settings } });
  return aggregate.find(customerId);
}

const created = (opening: Opening, at: Micros): NewConversationEvent => ({
  type: 'conversation.created',
  conversation: openConversation(opening, at),
  change: null,
});

function decideAddAll(
  state: ConversationState,
  people: NewParticipant[],
  at: Micros,
): Result<NewConversationEvent[], Refusal> {
  const events: NewConversationEvent[] = [];
  for (const person of people) {
    const decided = decideAdd(stateAfter(state, events), person, at);
    if (!decided.ok) return decided;
    events.push(...decided.value);
  }
  return ok(events);
}

export const addParticipant = (aggregate: ConversationAggregate, customerId: string, person: NewParticipant) =>
  conversationIn(change(aggregate, customerId, (state, at) => decideAdd(state, person, at)));

/** @returns the conversation as it was before, from which the caller knows the addresses that are free again. */
export function removeParticipant(
  aggregate: ConversationAggregate,
  customerId: string,
  participantId: string,
): Result<ConversationState, Refusal> {
  const before = aggregate.find(customerId);
  const changed = change(aggregate, customerId, (state, at) => decideRemove(state, participantId, at));
  return changed.ok ? before : changed;
}

/** What mergers, their undoing and moved addresses change about a conversation's people. Each is idempotent. */
export type MembershipChange =
  /** What is known of somebody who is here already, and the bindings that reach it. Refused where the conversation is over. */
  | ({ kind: 'attach_person' } & PersonAttachment)
  /** Some of its addresses go to another conversation. */
  | { kind: 'release_addresses'; addresses: ContactAddress[] }
  /**
   * Those who came with the conversation `from`, which was merged into it, leave with that again. `absorbed`: who they are, where the first
   * release merged them and the log does not say so.
   */
  | { kind: 'split_off'; from: string; absorbed?: AbsorbedConversation }
  /** It continues in another one, or no longer does. */
  | { kind: 'merge' | 'unmerge'; into: string };

export const changeMembership = (aggregate: ConversationAggregate, customerId: string, wanted: MembershipChange) =>
  conversationIn(change(aggregate, customerId, (state, at) => decideMembership(aggregate, state, wanted, at)));

function decideMembership(
  aggregate: ConversationAggregate,
  state: ConversationState,
  wanted: MembershipChange,
  at: Micros,
) {
  switch (wanted.kind) {
    case 'attach_person':
      return decideAttachPerson(state, wanted, at);
    case 'release_addresses':
      return decideReleaseAddresses(state, wanted.addresses, at);
    case 'split_off':
      return decideSplitOff(state, wanted.absorbed ?? absorbed(aggregate, wanted.from), at);
    case 'merge':
      return decideMerge(state, wanted.into, at);
    case 'unmerge':
      return ok(decideUnmerge(state, wanted.into, at));
  }
}

function absorbed(aggregate: ConversationAggregate, from: string): AbsorbedConversation {
  const rows = aggregate.log.ofTypes(['conversation.merged_from', 'conversation.unmerged_from']);
  const events = rows.map((row) => fromLogRow(row, null));
  return absorbedIn(events, from) ?? { from, histories: [from], people: { before: [], came: [] } };
}
