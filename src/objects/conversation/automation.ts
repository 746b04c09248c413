import type { ConversationAggregate } from './aggregate.ts';
import { Outbox, queueOutbox } from '../runtime/drains.ts';
import { withoutActiveflow, type FlowStart } from '../../domain/conversation/automation/automation.ts';
import {
  decideTurnEnd,
  decideTurnReport,
  isTurnOpen,
  requestTurn,
  type TurnReport,
} from '../../domain/conversation/automation/decide-turn.ts';
import { stopSends } from '../../domain/conversation/automation/fencing.ts';
import {
  claimTurn,
  expireTurn,
  publishTurn,
  type Turn,
  type TurnClaim,
} from '../../domain/conversation/automation/turns.ts';
import { decideHandover } from '../../domain/conversation/decide-change.ts';
import type { ConversationState, Message } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import { activeflowVariables, conversationVariables } from '../../domain/flow/variables.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { Millis } from '../../domain/time.ts';
import type { AssistantTurnJob } from '../../queues/jobs.ts';
import { beginActiveflow } from '../../storage/activeflows.ts';

/*
 * Who answers while no person does. An assistant's turn is begun by a contact's message (aggregate.ts) or requested by a flow, queued
 * when the contact has paused, claimed by the queue's consumer and ended by its report. A flow is started once.
 */

/** What a flow asks for, about the message that started it. */
export interface RequestedTurn {
  /** Made up by the flow: the same for a repeat. */
  turnId: string;
  messageId: string;
  assistantId: string;
  debounceMs: number;
  /** The mode epoch in which a fenced flow began; null takes the present one. */
  epoch: number | null;
  activeflowId: string;
}

/** A flow has an assistant answer. @returns whether to wait for it: false when the assistant has answered already. */
export function requestAnswer(
  aggregate: ConversationAggregate,
  customerId: string,
  wanted: RequestedTurn,
): Result<boolean, Refusal> {
  const found = aggregate.find(customerId);
  const { record } = aggregate;
  if (!found.ok || !record) return err({ code: 'CONVERSATION_NOT_FOUND' });
  const { turnId: id, messageId, assistantId, debounceMs, activeflowId } = wanted;
  if (isStopped(aggregate, activeflowId)) return err({ code: 'ACTIVEFLOW_STOPPED' });
  if (isTurnOpen(record.pending, id)) return ok(true);
  const from = firstUnanswered(aggregate, messageId, record.pending.answered[assistantId] ?? 0);
  if (from === null) return ok(false);
  const epoch = wanted.epoch ?? record.conversation.modeEpoch;
  const begin = { id, assistantId, epoch, from, at: Date.now(), debounceMs, askedBy: [activeflowId] };
  const requested = requestTurn(found.value, record.pending, begin);
  if (!requested.ok) return requested;
  if (requested.value) aggregate.commit({ record: { pending: requested.value } });
  return ok(requested.value !== null);
}

/** Where the turn of a flow begins: with its own message, or after what the assistant has answered. Null when nothing is new. */
function firstUnanswered(aggregate: ConversationAggregate, messageId: string, answered: number): number | null {
  const own = aggregate.stored.message(messageId)?.sequence ?? 0;
  if (own > answered) return own;
  return aggregate.stored.incomingSince(answered + 1, 1).length > 0 ? answered + 1 : null;
}

const turnsOf = (aggregate: ConversationAggregate): Turn[] => aggregate.record?.pending.turns ?? [];

/** The drain towards the queue `assistant-turns`. */
export const turnOutbox = (env: Env, aggregate: ConversationAggregate): (() => Promise<void>) =>
  queueOutbox({
    name: 'turns',
    queue: env.ASSISTANT_TURNS,
    publish: (now) => publishDue(aggregate, now),
    putBack: (jobs, dueAt) => putBack(aggregate, jobs, dueAt),
  });

function publishDue(aggregate: ConversationAggregate, now: Millis): AssistantTurnJob[] {
  const due = turnsOf(aggregate).filter((turn) => turn.phase === 'waiting' && turn.dueAt <= now);
  const conversationId = aggregate.conversation?.id;
  if (due.length === 0 || conversationId === undefined) return [];
  changeTurns(aggregate, (turn) => (due.includes(turn) ? publishTurn(turn, now) : turn));
  return due.map(({ id: turnId, assistantId, attempt }) => ({
    v: 1,
    conversationId,
    turnId,
    assistantId,
    attempt: attempt + 1,
  }));
}

function putBack(aggregate: ConversationAggregate, jobs: AssistantTurnJob[], dueAt: Millis): void {
  const isRefused = ({ id, phase, attempt }: Turn): boolean =>
    phase === 'published' && jobs.some((job) => job.turnId === id && job.attempt === attempt + 1);
  changeTurns(aggregate, (turn) => (isRefused(turn) ? { ...turn, phase: 'waiting', dueAt } : turn));
}

function changeTurns(aggregate: ConversationAggregate, change: (turn: Turn) => Turn): void {
  const pending = aggregate.record?.pending;
  if (pending) aggregate.commit({ record: { pending: { ...pending, turns: pending.turns.map(change) } } });
}

/** What an assistant is asked. It travels by RPC, never through the queue. */
export interface TurnOrder {
  conversation: ConversationState;
  /** What the contact has said since the turn began, oldest first. */
  messages: Message[];
  /** What was said before, oldest first; without `messages`. */
  history: Message[];
  publicUrl: string;
}

/** The most messages that one turn answers at once: the newest. */
const MESSAGES_LIMIT = 50;

/** Leases one attempt to the consumer; null when the job is a repeat, stale, or the turn is over. */
export function claimTurnOrder(
  aggregate: ConversationAggregate,
  turnId: string,
  claim: TurnClaim & { history: number },
): TurnOrder | null {
  const { record } = aggregate;
  const turn = turnsOf(aggregate).find(({ id }) => id === turnId);
  if (!record || !turn) return null;
  const { conversation, settings } = record;
  const claimed = claimTurn(turn, claim, conversation.sequence, Date.now());
  if (!claimed) return null;
  changeTurns(aggregate, (each) => (each === turn ? claimed : each));
  const messages = aggregate.stored.incomingSince(turn.from, MESSAGES_LIMIT).toReversed();
  if (messages.length === 0) {
    // The contact has taken back everything that was to be answered.
    reportTurn(aggregate, { turnId, attempt: claim.attempt, outcome: 'answered', answer: null });
    return null;
  }
  const history = claim.history === 0 ? [] : newestOthers(aggregate, messages, claim.history);
  return { conversation, messages, history, publicUrl: settings.publicUrl };
}

/** The newest of the rest: what was said before the turn, and what was answered in the meantime. */
function newestOthers(aggregate: ConversationAggregate, messages: Message[], limit: number): Message[] {
  const asked = new Set(messages.map(({ id }) => id));
  return aggregate.stored
    .messagesBefore(null, limit + messages.length)
    .filter(({ id }) => !asked.has(id))
    .slice(0, limit)
    .toReversed();
}

/** The consumer's report on one attempt. MODE_CHANGED when the turn is over: people took over, or another attempt runs. */
export function reportTurn(aggregate: ConversationAggregate, report: TurnReport): Result<null, Refusal> {
  const { record } = aggregate;
  if (!record) return err({ code: 'CONVERSATION_NOT_FOUND' });
  const at = aggregate.now();
  const decided = decideTurnReport(record.conversation, record.pending, report, Date.now(), at);
  if (!decided.ok) return decided;
  const { events, pending } = decided.value;
  aggregate.commit({ at, events, record: { pending } });
  return ok(null);
}

/** Ends the attempts whose leases have run out. */
export function expireTurns(aggregate: ConversationAggregate, now: Millis): void {
  for (const turn of turnsOf(aggregate)) {
    const { record } = aggregate;
    const step = expireTurn(turn, now);
    if (!record || step.turn === turn) continue;
    const at = aggregate.now();
    const { events, pending } = decideTurnEnd(record.conversation, record.pending, turn, step, at);
    aggregate.commit({ at, events, record: { pending } });
  }
}

const startsOf = (aggregate: ConversationAggregate): FlowStart[] => aggregate.record?.pending.flowStarts ?? [];

/** Starts the flows that inbound messages have triggered: a row that shows the activeflow, and the Workflow that runs it. */
export const flowOutbox = (env: Env, aggregate: ConversationAggregate, committed: () => void): Outbox =>
  new Outbox(
    'flows',
    () => startsOf(aggregate).length > 0,
    async () => {
      for (let [start] = startsOf(aggregate); start; [start] = startsOf(aggregate)) {
        const isStarted = await startFlow(env, aggregate, start);
        endFlowStart(aggregate, start, isStarted);
        if (!isStarted) committed();
      }
    },
  );

/** Idempotent: the row is made once, and a Workflow with this id runs once. False where the flow was deleted, so that people must answer. */
async function startFlow(env: Env, aggregate: ConversationAggregate, start: FlowStart): Promise<boolean> {
  const { conversation } = aggregate;
  if (!conversation) return true;
  const { id, customerId } = conversation;
  const variables = {
    ...activeflowVariables(start.activeflowId, start.flowId, id),
    ...conversationVariables(conversation),
  };
  if (!(await beginActiveflow(env, customerId, id, { ...start, variables }, Date.now()))) return false;
  try {
    await env.FLOWS.create({ id: start.activeflowId, params: { activeflowId: start.activeflowId } });
  } catch (error) {
    if (!(error instanceof Error && error.message.includes('already_exists'))) throw error;
  }
  return true;
}

function endFlowStart(aggregate: ConversationAggregate, { activeflowId, flowId }: FlowStart, isStarted: boolean): void {
  const { record } = aggregate;
  if (!record) return;
  const at = aggregate.now();
  const handover = { actor: { type: 'flow', id: flowId }, reason: 'flow_gone' } as const;
  const events = isStarted ? [] : decideHandover(record.conversation, handover, at);
  const flowStarts = record.pending.flowStarts.filter((start) => start.activeflowId !== activeflowId);
  aggregate.commit({ at, events, record: { pending: { ...record.pending, flowStarts } } });
}

const stoppedKey = (activeflowId: string): string => `stopped:${activeflowId}`;

export const isStopped = (aggregate: ConversationAggregate, activeflowId: string | null): boolean =>
  activeflowId !== null && aggregate.stored.keys.used(stoppedKey(activeflowId), Date.now()) !== null;

/** From this commit on nothing of the activeflow is accepted here, and nothing of it is under way any more. */
export function stopActiveflow(
  aggregate: ConversationAggregate,
  customerId: string,
  activeflowId: string,
): Result<null, Refusal> {
  const found = aggregate.find(customerId);
  const { record } = aggregate;
  if (!found.ok || !record) return err({ code: 'CONVERSATION_NOT_FOUND' });
  const at = aggregate.now();
  const { events, failed, lastTry } = stopSends(activeflowId, aggregate.underWay(), at);
  aggregate.commit({
    at,
    events,
    record: { pending: withoutActiveflow(record.pending, activeflowId) },
    saveSends: lastTry.map(({ send }) => send),
    dropSends: failed.map(({ send }) => send.deliveryId),
    keys: [{ key: stoppedKey(activeflowId), messageId: '', fingerprint: '', expiresAt: null }],
  });
  return ok(null);
}
