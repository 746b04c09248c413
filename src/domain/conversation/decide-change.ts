import { err, ok, type Result } from '../result.ts';
import type { NewConversationEvent, Change } from './events.ts';
import type { Refusal } from '../errors.ts';
import { SYSTEM, type Actor } from '../permissions.ts';
import { type Micros, millisOf, type Millis } from '../time.ts';
import type { UpdateCommand } from './commands.ts';
import { changeBinding, findBinding, bindingsOf } from './identity/bindings.ts';
import type { AiMode, ConversationState, ChannelBinding, Settings } from './state.ts';
import { shut, noticeAt } from './delivery/service-window.ts';

/** The conversation in another mode, with its epoch grown; null when it is in that mode already. */
export function changeMode(state: ConversationState, aiMode: AiMode, at: Micros): ConversationState | null {
  if (state.aiMode === aiMode) return null;
  return { ...state, aiMode, modeEpoch: state.modeEpoch + 1, handedOver: false, updatedAt: at };
}

/** A person answers from now on: also a takeover, in another epoch, where a machine had left the conversation to people. */
export function takeOver(state: ConversationState, at: Micros): ConversationState | null {
  const isTaken = state.aiMode === 'human' && state.handedOver;
  if (isTaken) return { ...state, handedOver: false, modeEpoch: state.modeEpoch + 1, updatedAt: at };
  return changeMode(state, 'human', at);
}

/** A machine leaves the conversation to people. */
export function handOver(state: ConversationState, at: Micros): ConversationState | null {
  const moded = changeMode(state, 'human', at);
  return moded && { ...moded, handedOver: true };
}

/** PUT on a conversation. A change that changes nothing is no event, but `updatedAt` of a real one always moves. */
export function decideUpdate(
  state: ConversationState,
  command: UpdateCommand,
  at: Micros,
): Result<NewConversationEvent[], Refusal> {
  const refusal = refusalOf(state, command);
  if (refusal) return err(refusal);
  const { ownerId, aiMode } = command;
  const by = { actor: command.actor, reason: 'request' } as const;
  const relabeled = relabel(state, command, at);
  const owned = ownerId === undefined ? relabeled : (changeOwner(relabeled, ownerId, command.actor, at) ?? relabeled);
  if (aiMode === 'closed' && state.lifecycle !== 'closed') return ok([closing(state, owned, at, by)]);
  const next = aiMode === undefined ? owned : (changeMode(owned, aiMode, at) ?? owned);
  return ok(next === state ? [] : [updating(state, next, by)]);
}

function refusalOf(state: ConversationState, { ownerId, aiMode, fence }: UpdateCommand): Refusal | null {
  const reopens = ownerId || (aiMode !== undefined && aiMode !== 'closed');
  if ((state.lifecycle === 'closed' || state.mergedInto !== null) && reopens) return { code: 'CONVERSATION_CLOSED' };
  return isFencedOut(state, fence ?? null) ? { code: 'MODE_CHANGED' } : null;
}

export type By = Pick<Change, 'actor' | 'reason'>;

/** The event of a conversation that is another one than before, with what was turned over. */
export const updating = (before: ConversationState, after: ConversationState, by: By): NewConversationEvent => ({
  type: 'conversation.updated',
  conversation: after,
  change: changeBetween(before, after, by),
});

/** Whether work that began in the epoch `fence` may not act any more; what has none is never fenced out. */
export const isFencedOut = (state: ConversationState, fence: number | null): boolean =>
  fence !== null && fence !== state.modeEpoch;

/** The same object when nothing of it changes. */
function relabel(state: ConversationState, command: UpdateCommand, at: Micros): ConversationState {
  const { name = state.name, detail = state.detail, tags = state.tags, archived = state.archived } = command;
  const sameTags = tags.length === state.tags.length && tags.every((tag, index) => tag === state.tags[index]);
  const isSame = name === state.name && detail === state.detail && archived === state.archived && sameTags;
  return isSame ? state : { ...state, name, detail, tags, archived, updatedAt: at };
}

/** An assignment is a takeover by people; taking the owner away gives the conversation back to automation (spec section 11). */
export function changeOwner(
  state: ConversationState,
  ownerId: string | null,
  actor: Actor,
  at: Micros,
): ConversationState | null {
  if (state.ownerId === ownerId) return null;
  const owned = { ...state, ownerId, updatedAt: at };
  if (state.lifecycle === 'closed') return owned;
  if (ownerId === null) return changeMode(owned, 'ai', at) ?? owned;
  return (actor.type === 'flow' ? handOver(owned, at) : takeOver(owned, at)) ?? owned;
}

/** Ownership is decided where it changes, so that an agent that has just lost a conversation cannot act in it any more. */
export const mayActAs = (state: ConversationState, asOwner: string | null): boolean =>
  asOwner === null || state.ownerId === asOwner;

/** Seed 001: managers unassign whatever they like, an agent itself. A conversation without an owner stays as it is, without an event. */
export function decideUnassign(
  state: ConversationState,
  actor: Actor,
  asOwner: string | null,
  at: Micros,
): Result<NewConversationEvent[], Refusal> {
  if (!mayActAs(state, asOwner)) return err({ code: 'PERMISSION_DENIED' });
  const released = changeOwner(state, null, actor, at);
  return ok(released ? [updating(state, released, { actor, reason: 'request' })] : []);
}

/** The end of a conversation, on request or by its timeout. Closing a closed conversation changes nothing. */
export function decideClose(state: ConversationState, by: By, at: Micros): NewConversationEvent[] {
  return state.lifecycle === 'closed' ? [] : [closing(state, state, at, by)];
}

/** `changed`: the conversation with whatever else the same command turns over. */
function closing(before: ConversationState, changed: ConversationState, at: Micros, by: By): NewConversationEvent {
  const moded = changeMode(changed, 'closed', at) ?? changed;
  const closed: ConversationState = { ...moded, lifecycle: 'closed', updatedAt: at };
  return { type: 'conversation.closed', conversation: closed, change: changeBetween(before, closed, by) };
}

/** Where what should have answered cannot, people must: once, and only where it would still have answered. */
export function decideHandover(state: ConversationState, by: By, at: Micros): NewConversationEvent[] {
  const isMeant = state.aiMode === 'ai' && state.ownerId === null && state.deletedAt === null;
  const next = isMeant ? handOver(state, at) : null;
  return next ? [updating(state, next, by)] : [];
}

/** The contact's consent at one of its addresses, as reported by a provider or by another conversation with the same contact. */
export const decideConsent = (
  state: ConversationState,
  name: string,
  optOut: boolean,
  at: Micros,
  reason: 'provider' | 'elsewhere' = 'provider',
) => learning(state, name, (binding) => (binding.optOut === optOut ? binding : { ...binding, optOut }), at, reason);

/** The provider's word that the time for free text is over. */
export const decideWindowClosed = (state: ConversationState, name: string, at: Micros) =>
  learning(state, name, (binding) => withWindow(binding, shut(binding.window, at)), at);

const withWindow = (binding: ChannelBinding, window: ChannelBinding['window']): ChannelBinding =>
  window === binding.window ? binding : { ...binding, window };

function learning(
  state: ConversationState,
  name: string,
  learn: (binding: ChannelBinding) => ChannelBinding,
  at: Micros,
  reason: 'provider' | 'elsewhere' = 'provider',
): NewConversationEvent[] {
  const learnt = changeBinding(state, name, learn);
  return learnt === state ? [] : [updating(state, { ...learnt, updatedAt: at }, { actor: SYSTEM, reason })];
}

export function decideDelete(state: ConversationState, at: Micros): NewConversationEvent[] {
  return [{ type: 'conversation.deleted', conversation: { ...state, updatedAt: at, deletedAt: at }, change: null }];
}

/** What is told apart from other changes between two states; null when nothing of it differs. */
export function changeBetween(
  before: ConversationState,
  after: ConversationState,
  { actor, reason }: Pick<Change, 'actor' | 'reason'>,
): Change | null {
  const mode = before.aiMode === after.aiMode ? null : { from: before.aiMode, to: after.aiMode };
  const owner = before.ownerId === after.ownerId ? null : { from: before.ownerId, to: after.ownerId };
  const optOut = consentBetween(before, after);
  return mode || owner || optOut !== null ? { actor, reason, mode, owner, optOut } : null;
}

function consentBetween(before: ConversationState, after: ConversationState): boolean | null {
  const turned = bindingsOf(after).find(
    (binding) => binding.optOut !== (findBinding(before, binding.addressName)?.optOut ?? false),
  );
  return turned ? turned.optOut : null;
}

/** Nothing more happens in it: closed, deleted, or gone on in another one. */
export const isOver = ({ lifecycle, deletedAt, mergedInto }: ConversationState): boolean =>
  lifecycle === 'closed' || deletedAt !== null || mergedInto !== null;

const lastActivity = (state: ConversationState): Millis => millisOf(state.lastMessageAt ?? state.createdAt);

/** When time alone changes this conversation next, or null when it never will. */
export function nextLifecycleAt(state: ConversationState, settings: Settings): Millis | null {
  if (isOver(state)) return null;
  const closeAt = lastActivity(state) + settings.closeMs;
  const silentAt = state.lifecycle === 'idle' ? closeAt : Math.min(closeAt, lastActivity(state) + settings.idleMs);
  return Math.min(silentAt, noticeAt(state) ?? Infinity);
}

/** What time alone does: active → idle → closed, each after its silence (seed 002's lifecycle), and the near end of its window. */
export function decideLifecycle(
  state: ConversationState,
  settings: Settings,
  now: Millis,
  at: Micros,
): NewConversationEvent[] {
  const due = nextLifecycleAt(state, settings);
  if (due === null || now < due) return [];
  if (now >= (noticeAt(state) ?? Infinity)) return [nearingEnd(state, at)];
  if (now >= lastActivity(state) + settings.closeMs)
    return decideClose(state, { actor: SYSTEM, reason: 'timeout' }, at);
  return [{ type: 'conversation.updated', conversation: { ...state, lifecycle: 'idle', updatedAt: at }, change: null }];
}

/** Not moved by it: `updatedAt` is for what somebody changed. */
const nearingEnd = (state: ConversationState, at: Micros): NewConversationEvent => {
  const { window } = state;
  const isOver = window !== null && at >= window.until;
  const warned = { ...state, window: window && { ...window, warned: true } };
  return { type: isOver ? 'conversation.updated' : 'conversation.window_closing', conversation: warned, change: null };
};
