import { SECOND, type Millis } from '../../time.ts';
import { PUBLISH_LEASE_MS } from '../delivery/sends.ts';

/**
 * One assistant's turn to answer. It begins with a contact's message, waits until the contact has paused, and is over when the
 * assistant has answered, kept silent, or failed too often. Like a send (sends.ts) it is finished by a report and by nothing else.
 *
 *   waiting ──publish──► published ──claim──► claimed ──report──► (gone, or the next turn)
 *      ▲                     │ lease out          │ lease out, or a failure
 *      └─────────────────────┴────────────────────┘
 */
export interface Turn {
  /** Of the message that began it, or made up by the flow that asked for it. */
  id: string;
  assistantId: string;
  /** The mode epoch in which it began: a takeover ends it (invariant 7). */
  epoch: number;
  /** The sequence of the first message that it must answer. */
  from: number;
  begunAt: Millis;
  debounceMs: Millis;
  phase: 'waiting' | 'published' | 'claimed';
  /** Attempts begun. A report or a job that names another attempt is stale. */
  attempt: number;
  maxFailures: number;
  /** waiting: publish from then on; published and claimed: the lease's end. */
  dueAt: Millis;
  /** The log's head when the last attempt began: what that attempt knows of. */
  seen: number;
  /** What came while an attempt was under way, which did not see it: the next turn. */
  next: Turn | null;
  /** The ids of turns that were joined to this one: who waits for them waits for this one. */
  covers: string[];
  /** The activeflows that asked for it; null when the contact's message did. */
  askedBy: string[] | null;
}

/** What begins a turn. */
export interface NewTurn {
  id: string;
  assistantId: string;
  epoch: number;
  from: number;
  at: Millis;
  debounceMs: Millis;
  askedBy: string[] | null;
}

/** How an attempt ended: `failed` may be tried again, `gone` can never succeed. */
export type TurnOutcome = 'answered' | 'failed' | 'gone';

/** What a step leaves: the turn, or null when it is over; and whether people must take over. */
export interface TurnStep {
  turn: Turn | null;
  handOff: boolean;
}

/** A contact that never pauses is answered after so many debounces all the same. */
const MOST_DEBOUNCES = 5;
const RETRY_DELAYS_MS = [1, 3, 10, 30, 60].map((seconds) => seconds * SECOND);
const LONGEST_RETRY_MS = 120 * SECOND;

export const newTurn = ({ at, ...begin }: NewTurn): Turn => ({
  ...begin,
  begunAt: at,
  phase: 'waiting',
  attempt: 0,
  maxFailures: 1,
  dueAt: at + begin.debounceMs,
  seen: 0,
  next: null,
  covers: [],
});

/** A message for an assistant: it joins the turn that has not been begun yet, or begins the next one. */
export function addToTurns(turns: readonly Turn[], begin: NewTurn): Turn[] {
  const open = turns.find((turn) => turn.assistantId === begin.assistantId);
  if (!open) return [...turns, newTurn(begin)];
  return turns.map((turn) => (turn === open ? withRequest(turn, begin) : turn));
}

function withRequest(turn: Turn, begin: NewTurn): Turn {
  if (turn.phase === 'claimed' && begin.from > turn.seen) {
    return { ...turn, next: turn.next ? withRequest(turn.next, begin) : newTurn(begin) };
  }
  const joint = { ...turn, covers: [...turn.covers, begin.id], askedBy: together(turn.askedBy, begin.askedBy) };
  if (turn.phase === 'claimed') return joint;
  const from = Math.min(turn.from, begin.from);
  if (turn.phase === 'published' || turn.attempt > 0) return { ...joint, from };
  const latest = turn.begunAt + MOST_DEBOUNCES * turn.debounceMs;
  return { ...joint, from, dueAt: Math.max(turn.dueAt, Math.min(begin.at + turn.debounceMs, latest)) };
}

const together = (one: string[] | null, other: string[] | null): string[] | null =>
  one && other && [...new Set([...one, ...other])];

export const publishTurn = (turn: Turn, now: Millis): Turn => ({
  ...turn,
  phase: 'published',
  dueAt: now + PUBLISH_LEASE_MS,
});

/** What the consumer knows when it takes a turn. */
export interface TurnClaim {
  attempt: number;
  maxFailures: number;
  /** Longer than the assistant may take to answer. */
  leaseMs: Millis;
}

/** The consumer takes the job and sees everything up to `head`. Null when it is a repeat or a stale attempt. */
export function claimTurn(turn: Turn, claim: TurnClaim, head: number, now: Millis): Turn | null {
  const open = turn.phase === 'published' || (turn.phase === 'waiting' && turn.dueAt <= now);
  const { attempt, maxFailures, leaseMs } = claim;
  if (!open || attempt !== turn.attempt + 1) return null;
  return { ...turn, phase: 'claimed', attempt, maxFailures, dueAt: now + leaseMs, seen: head };
}

/** The consumer's report on its attempt; null when that attempt is not the one under way. */
export function reportTurn(turn: Turn, attempt: number, outcome: TurnOutcome, now: Millis): TurnStep | null {
  if (turn.phase !== 'claimed' || turn.attempt !== attempt) return null;
  if (outcome === 'answered') return { turn: turn.next, handOff: false };
  if (outcome === 'gone' || attempt >= turn.maxFailures) return { turn: null, handOff: true };
  const delay = RETRY_DELAYS_MS[attempt - 1] ?? LONGEST_RETRY_MS;
  return { turn: { ...absorbing(turn), phase: 'waiting', dueAt: now + delay }, handOff: false };
}

/** Its next attempt sees whatever came meanwhile. */
function absorbing({ next, ...turn }: Turn): Turn {
  if (!next) return { ...turn, next };
  const covers = [...turn.covers, next.id, ...next.covers];
  return { ...turn, covers, askedBy: together(turn.askedBy, next.askedBy), next: null };
}

/** Without what these activeflows alone had asked for; null when nobody asks for the turn any more. */
export function withoutAsker(turn: Turn, activeflowId: string): Turn | null {
  const next = turn.next && withoutAsker(turn.next, activeflowId);
  if (!turn.askedBy) return { ...turn, next };
  const askedBy = turn.askedBy.filter((id) => id !== activeflowId);
  return askedBy.length === 0 ? next : { ...turn, askedBy, next };
}

/** Whether the turn, or the one after it, answers what `id` asked for. */
export const answersFor = (turn: Turn, id: string): boolean =>
  turn.id === id || turn.covers.includes(id) || (turn.next !== null && answersFor(turn.next, id));

/** A lease that ran out. A published job that nobody claimed was lost by the queue, which is no failure of the assistant's. */
export function expireTurn(turn: Turn, now: Millis): TurnStep {
  if (turn.phase === 'waiting' || now < turn.dueAt) return { turn, handOff: false };
  if (turn.phase === 'published') return { turn: { ...turn, phase: 'waiting', dueAt: now }, handOff: false };
  return reportTurn(turn, turn.attempt, 'failed', now) ?? { turn, handOff: false };
}

export const nextTurnAt = (turns: readonly Turn[]): Millis | null =>
  turns.length === 0 ? null : Math.min(...turns.map((turn) => turn.dueAt));
