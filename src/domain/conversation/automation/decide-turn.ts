import { err, ok, type Result } from '../../result.ts';
import type { Refusal } from '../../errors.ts';
import type { Actor } from '../../permissions.ts';
import type { Micros, Millis } from '../../time.ts';
import { isAutomatic, type Pending } from './automation.ts';
import { isOver, handOver, updating } from '../decide-change.ts';
import type { SendCommand } from '../commands.ts';
import { decideSend } from '../decide-send.ts';
import type { NewConversationEvent } from '../events.ts';
import type { ConversationState } from '../state.ts';
import { addToTurns, answersFor, reportTurn, type NewTurn, type Turn, type TurnOutcome } from './turns.ts';

/** What an assistant said in its turn. An empty text says nothing. */
export interface AssistantAnswer {
  message: SendCommand | null;
  /** Whether people must go on from here. */
  handoff: boolean;
}

export interface TurnReport {
  turnId: string;
  attempt: number;
  outcome: TurnOutcome;
  /** Null unless the outcome is `answered`. */
  answer: AssistantAnswer | null;
}

/** What one report leaves: events, and the automation that is still under way. */
export interface TurnDecision {
  events: NewConversationEvent[];
  pending: Pending;
}

/**
 * The end of an assistant's attempt. The turn must still be there: a takeover has ended it in the commit that made the takeover,
 * so a late answer is refused with MODE_CHANGED (invariant 7).
 */
export function decideTurnReport(
  state: ConversationState,
  pending: Pending,
  { turnId, attempt, outcome, answer }: TurnReport,
  now: Millis,
  at: Micros,
): Result<TurnDecision, Refusal> {
  const turn = pending.turns.find(({ id }) => id === turnId);
  const step = turn && reportTurn(turn, attempt, outcome, now);
  if (!turn || !step) return err({ code: 'MODE_CHANGED' });
  const said = answer?.message ? decideSend(state, answer.message, [], at) : ok([]);
  if (!said.ok) return said;
  const handOff = step.handOff ? 'assistant_failed' : answer?.handoff ? 'handoff' : null;
  const events = handOff ? handedOver(state, said.value, turn, handOff, at) : said.value;
  return ok({ events, pending: afterTurn(pending, turn, step.turn, outcome) });
}

/** The same when a lease ran out: nobody will report. */
export function decideTurnEnd(
  state: ConversationState,
  pending: Pending,
  turn: Turn,
  step: { turn: Turn | null; handOff: boolean },
  at: Micros,
): TurnDecision {
  const events = step.handOff ? handedOver(state, [], turn, 'assistant_failed', at) : [];
  return { events, pending: afterTurn(pending, turn, step.turn, 'failed') };
}

function afterTurn(pending: Pending, turn: Turn, next: Turn | null, outcome: TurnOutcome): Pending {
  const turns = pending.turns.flatMap((each) => (each.id === turn.id ? (next ?? []) : each));
  const answered = outcome === 'answered' ? { ...pending.answered, [turn.assistantId]: turn.seen } : pending.answered;
  return { ...pending, turns, answered };
}

/** What the assistant said with the handover, and before it, goes out although the mode is another one then (fencing.ts). */
function handedOver(
  state: ConversationState,
  said: NewConversationEvent[],
  turn: Turn,
  reason: 'handoff' | 'assistant_failed',
  at: Micros,
): NewConversationEvent[] {
  const actor: Actor = { type: 'assistant', id: turn.assistantId };
  const before = said.reduce((latest, event) => ('conversation' in event ? event.conversation : latest), state);
  const after = handOver(before, at);
  return after ? [...said, updating(before, after, { actor, reason })] : said;
}

/** A flow asks an assistant to answer. Null when it has answered that already; otherwise `begin.id` is what to wait for. */
export function requestTurn(
  state: ConversationState,
  pending: Pending,
  begin: NewTurn,
): Result<Pending | null, Refusal> {
  if (state.optOut) return err({ code: 'CONTACT_OPTED_OUT' });
  if (isOver(state)) return err({ code: 'CONVERSATION_CLOSED' });
  if (!isAutomatic(state) || begin.epoch !== state.modeEpoch) return err({ code: 'MODE_CHANGED' });
  if (begin.from <= (pending.answered[begin.assistantId] ?? 0)) return ok(null);
  return ok({ ...pending, turns: addToTurns(pending.turns, begin) });
}

/** Whether what was asked for under this id still has to be answered. */
export const isTurnOpen = (pending: Pending, id: string): boolean => pending.turns.some((turn) => answersFor(turn, id));
