import { type Millis, MINUTE } from '../../time.ts';
import type { Automation } from '../commands.ts';
import type { PendingFallback } from '../delivery/fallback.ts';
import { isOver } from '../decide-change.ts';
import type { ConversationState, Message } from '../state.ts';
import { addToTurns, withoutAsker, type Turn } from './turns.ts';
import { isMessageEvent, type ConversationEvent } from '../events.ts';

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
  /** Files to copy from the provider (FileTask). */
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

/**
 * A contact's files are fetched from the provider into our own store, because the provider's go away. One task stands for one message
 * until the consumer reports it done: queues lose jobs.
 */
export interface FileTask {
  messageId: string;
  /** Times that it was queued. */
  attempts: number;
  /** Queue it from then on. */
  dueAt: Millis;
}

/** About a day in all; then the provider's own link is what is left. */
const MAX_ATTEMPTS = 12;
const delayOf = (attempts: number): Millis => MINUTE * Math.min(2 ** (attempts - 1), 240);

/** What the events add: files that came in, and messages whose files must go because they were deleted. */
export function withFileTasks(tasks: FileTask[], events: ConversationEvent[], now: Millis): FileTask[] {
  const wanted = events.flatMap((event) => (isMessageEvent(event) && concernsFiles(event) ? [event.message.id] : []));
  if (wanted.length === 0) return tasks;
  const others = tasks.filter(({ messageId }) => !wanted.includes(messageId));
  return [...others, ...wanted.map((messageId) => ({ messageId, attempts: 0, dueAt: now }))];
}

function concernsFiles({ type, message }: Extract<ConversationEvent, { message: unknown }>): boolean {
  if (message.direction !== 'incoming') return false;
  return type === 'message.deleted' || (type === 'message.created' && message.medias.some((m) => m.providerRef !== ''));
}

/** What is to be queued now, and the tasks afterwards. A task that was queued in vain often enough is given up. */
export function takeDue(tasks: FileTask[], now: Millis): { due: string[]; tasks: FileTask[] } {
  const due = tasks.filter(({ dueAt }) => dueAt <= now);
  if (due.length === 0) return { due: [], tasks };
  const again = due
    .map(({ messageId, attempts }) => ({ messageId, attempts: attempts + 1, dueAt: now + delayOf(attempts + 1) }))
    .filter(({ attempts }) => attempts <= MAX_ATTEMPTS);
  return {
    due: again.map(({ messageId }) => messageId),
    tasks: [...tasks.filter(({ dueAt }) => dueAt > now), ...again],
  };
}

export const nextFileAt = (tasks: FileTask[]): Millis | null =>
  tasks.length === 0 ? null : Math.min(...tasks.map(({ dueAt }) => dueAt));
