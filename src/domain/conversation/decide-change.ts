import { err, ok, type Result } from '../result.ts';
import type { NewConversationEvent } from './events.ts';
import type { Refusal } from '../errors.ts';
import type { Micros } from '../time.ts';
import type { UpdateCommand } from './commands.ts';
import type { AiMode, ConversationState } from './state.ts';

/** The conversation in another mode, with its epoch grown; null when it is in that mode already. */
export function changeMode(state: ConversationState, aiMode: AiMode, at: Micros): ConversationState | null {
  if (state.aiMode === aiMode) return null;
  return { ...state, aiMode, modeEpoch: state.modeEpoch + 1, updatedAt: at };
}

/** PUT on a conversation. A change that changes nothing is no event, but `updatedAt` of a real one always moves. */
export function decideUpdate(
  state: ConversationState,
  command: UpdateCommand,
  at: Micros,
): Result<NewConversationEvent[], Refusal> {
  const reopens = command.ownerId || (command.aiMode !== undefined && command.aiMode !== 'closed');
  if (state.lifecycle === 'closed' && reopens) {
    return err({ code: 'CONVERSATION_CLOSED' });
  }
  const { ownerId, aiMode } = command;
  const relabeled = relabel(state, command, at);
  const owned = ownerId === undefined ? relabeled : (changeOwner(relabeled, ownerId, at) ?? relabeled);
  if (aiMode === 'closed' && state.lifecycle !== 'closed') return ok(decideClose(owned, at));
  const next = aiMode === undefined ? owned : (changeMode(owned, aiMode, at) ?? owned);
  return ok(next === state ? [] : [{ type: 'conversation.updated', conversation: next }]);
}

/** The same object when nothing of it changes. */
function relabel(state: ConversationState, command: UpdateCommand, at: Micros): ConversationState {
  const { name = state.name, detail = state.detail, tags = state.tags } = command;
  const sameTags = tags.length === state.tags.length && tags.every((tag, index) => tag === state.tags[index]);
  if (name === state.name && detail === state.detail && sameTags) return state;
  return { ...state, name, detail, tags, updatedAt: at };
}

/** An assignment is a takeover by people; taking the owner away gives the conversation back to automation (spec section 11). */
export function changeOwner(state: ConversationState, ownerId: string | null, at: Micros): ConversationState | null {
  if (state.ownerId === ownerId) return null;
  const owned = { ...state, ownerId, updatedAt: at };
  if (state.lifecycle === 'closed') return owned;
  return changeMode(owned, ownerId === null ? 'ai' : 'human', at) ?? owned;
}

/** Ownership is decided where it changes, so that an agent that has just lost a conversation cannot act in it any more. */
export const mayActAs = (state: ConversationState, asOwner: string | null): boolean =>
  asOwner === null || state.ownerId === asOwner;

/** Seed 001: managers unassign whatever they like, an agent itself. Nobody's conversation stays nobody's, without an event. */
export function decideUnassign(
  state: ConversationState,
  asOwner: string | null,
  at: Micros,
): Result<NewConversationEvent[], Refusal> {
  if (!mayActAs(state, asOwner)) return err({ code: 'PERMISSION_DENIED' });
  const released = changeOwner(state, null, at);
  return ok(released ? [{ type: 'conversation.updated', conversation: released }] : []);
}

/** The end of a conversation, on request or by its timeout. Closing twice is once. */
export function decideClose(state: ConversationState, at: Micros): NewConversationEvent[] {
  if (state.lifecycle === 'closed') return [];
  const moded = changeMode(state, 'closed', at) ?? state;
  return [{ type: 'conversation.closed', conversation: { ...moded, lifecycle: 'closed', updatedAt: at } }];
}

export function decideDelete(state: ConversationState, at: Micros): NewConversationEvent[] {
  return [{ type: 'conversation.deleted', conversation: { ...state, updatedAt: at, deletedAt: at } }];
}
