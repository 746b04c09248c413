import { describe, expect, test } from 'vitest';
import { aConversation } from './support.ts';
import { NOTHING_PENDING, type Pending } from '../../../src/domain/conversation/automation.ts';
import { decideTurnReport, isTurnOpen, requestTurn } from '../../../src/domain/conversation/decide-turn.ts';
import {
  addToTurns,
  claimTurn,
  expireTurn,
  newTurn,
  nextTurnAt,
  publishTurn,
  reportTurn,
  type NewTurn,
  type Turn,
} from '../../../src/domain/conversation/turns.ts';

const begin = (from: number, at: number, debounceMs = 1000): NewTurn => ({
  id: `m${from}`,
  assistantId: 'ada',
  epoch: 0,
  from,
  at,
  debounceMs,
});

const claimed = (turn: Turn, head: number, attempt = 1, maxFailures = 2): Turn => {
  const taken = claimTurn(publishTurn(turn, 0), { attempt, maxFailures, leaseMs: 25_000 }, head, 0);
  if (!taken) throw new Error('not claimed');
  return taken;
};

describe('a turn', () => {
  test('waits for the contact to pause, but not for ever', () => {
    const dueAts: number[] = [];
    let turns = addToTurns([], begin(1, 0));
    for (let at = 900; at <= 9000; at += 900) {
      turns = addToTurns(turns, begin(at, at));
      dueAts.push(nextTurnAt(turns) ?? 0);
    }
    expect(turns).toHaveLength(1);
    expect(dueAts.slice(0, 5)).toEqual([1900, 2800, 3700, 4600, 5000]);
    expect(dueAts.at(-1)).toBe(5000);
    expect(nextTurnAt([])).toBeNull();
  });

  test('is followed by one for what came while it was answered, and by none for what it had seen', () => {
    const open = claimed(newTurn(begin(1, 0)), 3);
    const [same] = addToTurns([open], begin(3, 100));
    expect(same).toEqual(open);
    const [more] = addToTurns(addToTurns([open], begin(4, 100)), begin(5, 200));
    expect(more?.next).toEqual(begin(4, 100));
    expect(more && reportTurn(more, 1, 'answered', 500)).toEqual({ turn: newTurn(begin(4, 100)), handOff: false });
    // An attempt that failed sees on its next try whatever came meanwhile.
    const failed = more && reportTurn(more, 1, 'failed', 500);
    expect(failed?.turn).toMatchObject({ id: 'm1', phase: 'waiting', next: null, dueAt: 1500 });
  });

  test('ends with people after too many failures, at once when its assistant is gone', () => {
    const first = claimed(newTurn(begin(1, 0)), 1);
    expect(reportTurn(first, 1, 'gone', 0)).toEqual({ turn: null, handOff: true });
    const second = claimed(reportTurn(first, 1, 'failed', 0)?.turn ?? first, 1, 2);
    expect(reportTurn(second, 2, 'failed', 0)).toEqual({ turn: null, handOff: true });
    expect(reportTurn(second, 1, 'answered', 0)).toBeNull();
    expect(reportTurn(newTurn(begin(1, 0)), 0, 'answered', 0)).toBeNull();
  });

  test('comes back when its job was lost, which is no failure, and when its consumer died, which is one', () => {
    const published = publishTurn(newTurn(begin(1, 0)), 0);
    expect(expireTurn(published, published.dueAt - 1).turn).toBe(published);
    expect(expireTurn(published, published.dueAt).turn).toMatchObject({ phase: 'waiting', attempt: 0 });
    const taken = claimed(newTurn(begin(1, 0)), 1, 1, 1);
    expect(expireTurn(taken, taken.dueAt)).toEqual({ turn: null, handOff: true });
    expect(claimTurn(taken, { attempt: 2, maxFailures: 1, leaseMs: 1 }, 1, 0)).toBeNull();
    expect(claimTurn(published, { attempt: 2, maxFailures: 1, leaseMs: 1 }, 1, 0)).toBeNull();
  });
});

describe('the wish of a flow', () => {
  const state = aConversation({ sequence: 9 });
  const pendingWith = (turns: Turn[], answered = {}): Pending => ({ ...NOTHING_PENDING, turns, answered });

  test('joins the turn that is open, and wants nothing that was answered already', () => {
    const waiting = pendingWith([newTurn(begin(4, 0))]);
    const joined = requestTurn(state, waiting, begin(2, 0));
    expect(joined).toMatchObject({ ok: true, value: { turnId: 'm4', pending: { turns: [{ from: 2 }] } } });
    const answering = pendingWith([claimed(newTurn(begin(4, 0)), 5)]);
    expect(requestTurn(state, answering, begin(5, 0))).toMatchObject({ ok: true, value: { turnId: 'm4' } });
    const next = requestTurn(state, answering, begin(6, 0));
    expect(next).toMatchObject({ ok: true, value: { turnId: 'm6' } });
    expect(next.ok && isTurnOpen(next.value.pending, 'm6')).toBe(true);
    expect(requestTurn(state, pendingWith([], { ada: 6 }), begin(6, 0))).toMatchObject({ value: { turnId: null } });
    expect(requestTurn(state, pendingWith([], { ada: 6 }), begin(7, 0))).toMatchObject({ value: { turnId: 'm7' } });
  });

  test('is refused where people answer, and to a fenced flow of an older epoch', () => {
    for (const over of [{ ownerId: 'a' }, { aiMode: 'human' as const }, { optOut: true }, { modeEpoch: 2 }]) {
      const refused = requestTurn({ ...state, ...over }, NOTHING_PENDING, begin(6, 0));
      expect(refused).toEqual({ ok: false, error: { code: 'MODE_CHANGED' } });
    }
  });
});

test('a report on a turn that is over is refused, and remembers how far the assistant has answered when it is not', () => {
  const state = aConversation({ sequence: 9 });
  const pending = { ...NOTHING_PENDING, turns: [claimed(newTurn(begin(4, 0)), 7)] };
  const report = { turnId: 'm4', attempt: 1, outcome: 'answered' as const, answer: { message: null, handoff: false } };
  const decided = decideTurnReport(state, pending, report, 0, 1);
  expect(decided).toEqual({ ok: true, value: { events: [], pending: { ...NOTHING_PENDING, answered: { ada: 7 } } } });
  expect(decideTurnReport(state, NOTHING_PENDING, report, 0, 1)).toEqual({
    ok: false,
    error: { code: 'MODE_CHANGED' },
  });
});
