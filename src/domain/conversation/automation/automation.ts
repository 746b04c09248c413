import type { Millis } from '../../time.ts';
import type { Automation } from '../commands.ts';
import type { PendingFallback } from '../delivery/fallback.ts';
import type { FileTask } from '../files.ts';
import { isOver } from '../lifecycle.ts';
import type { ConversationState, Message } from '../state.ts';
import { addToTurns, withoutAsker, type Turn } from './turns.ts';

/** A flow that an inbound message started, on its way to the Workflow that runs it. */
export interface FlowStart {
  activeflowId: string;
  flowId: string;
  messageId: string;
  /** The mode epoch in which it began. */
  epoch: number;
}

/** What is under way in a conversation beside its sends: it stands in the conversation's record. */
export interface Pending {
  turns: Turn[];
  flowStarts: FlowStart[];
  /** By assistant: the sequence up to which it has answered, so that a flow's late request does not have it answer twice. */
  answered: Record<string, number>;
  /** Files to copy from the provider (files.ts). */
  files: FileTask[];
  /** Answers that go by e-mail unless the web chat's visitor turns out to have received them. */
  pendingFallbacks: PendingFallback[];
}

export const NOTHING_PENDING: Pending = { turns: [], flowStarts: [], answered: {}, files: [], pendingFallbacks: [] };

/** Seed 001: the message of a contact starts the flow unless somebody owns the conversation or its mode says that people answer. */
export const isAutomatic = (state: ConversationState): boolean =>
  state.aiMode === 'ai' && state.ownerId === null && !state.optOut && !isOver(state);

/** What a contact's message sets in motion. A flow goes before the assistant: it may call assistants itself. */
export function startAutomation(
  pending: Pending,
  state: ConversationState,
  message: Message,
  { flow, assistant }: Automation,
  now: Millis,
): Pending {
  if (!isAutomatic(state)) return pending;
  const epoch = state.modeEpoch;
  if (flow) {
    const start = { activeflowId: flow.activeflowId, flowId: flow.id, messageId: message.id, epoch };
    return { ...pending, flowStarts: [...pending.flowStarts, start] };
  }
  if (!assistant) return pending;
  const { id: assistantId, debounceMs } = assistant;
  const begin = { id: message.id, assistantId, epoch, from: message.sequence, at: now, debounceMs, askedBy: null };
  return { ...pending, turns: addToTurns(pending.turns, begin) };
}

/** Without what an activeflow asked for, which was stopped. */
export const withoutActiveflow = (pending: Pending, activeflowId: string): Pending => ({
  ...pending,
  flowStarts: pending.flowStarts.filter((start) => start.activeflowId !== activeflowId),
  turns: pending.turns.flatMap((turn) => withoutAsker(turn, activeflowId) ?? []),
});

/**
 * What a change leaves of it: what is deleted follows nobody, and turns end with the epoch in which they began, and with everything after which nothing may be sent.
 * Flows that were started go on (seed 001).
 */
export function keepAllowed(pending: Pending, state: ConversationState): Pending {
  const silenced = state.optOut || isOver(state) || state.ownerId !== null || state.aiMode !== 'ai';
  const turns = silenced ? [] : pending.turns.filter((turn) => turn.epoch === state.modeEpoch);
  const pendingFallbacks = state.deletedAt === null ? pending.pendingFallbacks : [];
  const isSame = turns.length === pending.turns.length && pendingFallbacks.length === pending.pendingFallbacks.length;
  return isSame ? pending : { ...pending, turns, pendingFallbacks };
}
