import { isStopped } from './commands.ts';
import type { ConversationAggregate } from './aggregate.ts';
import {
  decideTurnEnd,
  decideTurnReport,
  isTurnOpen,
  requestTurn,
  type TurnDecision,
  type TurnReport,
} from '../../domain/conversation/automation/decide-turn.ts';
import type { ConversationState, Message } from '../../domain/conversation/state.ts';
import { claimTurn, expireTurn, type TurnClaim } from '../../domain/conversation/automation/turns.ts';
import type { Refusal } from '../../domain/errors.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { Micros } from '../../domain/time.ts';

/** What an assistant is asked. It travels by RPC, never through the queue. */
export interface TurnOrder {
  conversation: ConversationState;
  /** What the contact has said since the turn began, oldest first. */
  messages: Message[];
  /** What was said before, oldest first; without `messages`. */
  history: Message[];
  publicUrl: string;
}

/** As many messages as one turn answers at once, at most: the newest. */
const MOST_MESSAGES = 50;

/** Leases one attempt to the consumer; null when the job is a repeat, stale, or the turn is over. */
export function claim(
  aggregate: ConversationAggregate,
  turnId: string,
  taken: TurnClaim & { history: number },
): TurnOrder | null {
  const record = aggregate.store.record();
  const turn = record?.pending.turns.find(({ id }) => id === turnId);
  if (!record || !turn) return null;
  const { conversation, settings } = record;
  const claimed = claimTurn(turn, taken, conversation.sequence, Date.now());
  if (!claimed) return null;
  const turns = record.pending.turns.map((each) => (each.id === turnId ? claimed : each));
  aggregate.savePending({ ...record.pending, turns });
  const messages = aggregate.store.incomingSince(turn.from, MOST_MESSAGES).toReversed();
  if (messages.length === 0) return endInSilence(aggregate, turnId, taken.attempt);
  const history = taken.history === 0 ? [] : newestOthers(aggregate, messages, taken.history);
  return { conversation, messages, history, publicUrl: settings.publicUrl };
}

/** The contact has taken back everything that was to be answered. */
function endInSilence(aggregate: ConversationAggregate, turnId: string, attempt: number): null {
  report(aggregate, { turnId, attempt, outcome: 'answered', answer: null });
  return null;
}

/** The newest of the rest: what was said before the turn, and what was answered meanwhile. */
function newestOthers(aggregate: ConversationAggregate, messages: Message[], limit: number): Message[] {
  const told = new Set(messages.map(({ id }) => id));
  return aggregate.store
    .messagesBefore(null, limit + messages.length)
    .filter(({ id }) => !told.has(id))
    .slice(0, limit)
    .toReversed();
}

/** The consumer's word on one attempt. MODE_CHANGED when the turn is over: people took over, or another attempt runs. */
export function report(aggregate: ConversationAggregate, told: TurnReport): Result<null, Refusal> {
  const record = aggregate.store.record();
  if (!record) return err({ code: 'CONVERSATION_NOT_FOUND' });
  const { conversation, pending } = record;
  const at = aggregate.now();
  const decided = decideTurnReport(conversation, pending, told, Date.now(), at);
  if (!decided.ok) return decided;
  commit(aggregate, decided.value, at);
  return ok(null);
}

const commit = (aggregate: ConversationAggregate, { events, pending }: TurnDecision, at: Micros): void =>
  aggregate.commit(events, at, { pending: () => pending });

/** What leases that ran out leave. */
export function expireTurns(aggregate: ConversationAggregate, now: number): void {
  for (const turn of aggregate.store.record()?.pending.turns ?? []) {
    const record = aggregate.store.record();
    const step = expireTurn(turn, now);
    if (!record || step.turn === turn) continue;
    const at = aggregate.now();
    commit(aggregate, decideTurnEnd(record.conversation, record.pending, turn, step, at), at);
  }
}

/** What a flow asks for, about the message that started it. `epoch`: the one in which a fenced flow began; null takes the present one. */
export interface RequestedTurn {
  /** Made up by the flow: the same for a repeat. */
  turnId: string;
  messageId: string;
  assistantId: string;
  debounceMs: number;
  epoch: number | null;
  activeflowId: string;
}

/** A flow's wish that an assistant answers. @returns whether it has to be waited for: false when that is answered already. */
export function request(
  aggregate: ConversationAggregate,
  customerId: string,
  wanted: RequestedTurn,
): Result<boolean, Refusal> {
  const found = aggregate.find(customerId);
  const record = aggregate.store.record();
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
  if (requested.value) aggregate.savePending(requested.value);
  return ok(requested.value !== null);
}

/** Where the turn of a flow begins: with its own message, or after what the assistant has answered. Null when nothing is new. */
function firstUnanswered(aggregate: ConversationAggregate, messageId: string, answered: number): number | null {
  const own = aggregate.store.message(messageId)?.sequence ?? 0;
  if (own > answered) return own;
  return aggregate.store.incomingSince(answered + 1, 1).length > 0 ? answered + 1 : null;
}

export const isOpen = (aggregate: ConversationAggregate, turnId: string): boolean => {
  const record = aggregate.store.record();
  return record !== null && isTurnOpen(record.pending, turnId);
};
