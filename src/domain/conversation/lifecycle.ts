import { millisOf, type Micros, type Millis } from '../time.ts';
import type { NewConversationEvent } from './events.ts';
import { SYSTEM } from '../permissions.ts';
import { decideClose } from './decide-change.ts';
import type { ConversationState, Settings } from './state.ts';
import { noticeAt } from './delivery/service-window.ts';

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
