import { describe, expect, test } from 'vitest';
import { aConversation } from './support.ts';
import { NOTHING_PENDING, type Pending } from '../../../src/domain/conversation/automation/automation.ts';
import { decideTurnReport, isTurnOpen, requestTurn } from '../../../src/domain/conversation/automation/decide-turn.ts';
import {
  addToTurns,
  answersFor,
  claimTurn,
  expireTurn,
  newTurn,
  nextTurnAt,
  publishTurn,
  reportTurn,
  withoutAsker,
  type NewTurn,
  type Turn,
} from '../../../src/domain/conversation/automation/turns.ts';

const begin = (from: number, at: number, debounceMs = 1000): NewTurn => ({
  id: `m${from}`,
  assistantId: 'ada',
  epoch: 0,
  from,
  at,
  debounceMs,
  askedBy: null,
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
    expect(same).toEqual({ ...open, covers: ['m3'] });
    const [more = open] = addToTurns(addToTurns([open], begin(4, 100)), begin(5, 200));
    // The next one waits for the contact to pause as well.
    expect(more.next).toEqual({ ...newTurn(begin(4, 100)), dueAt: 1200, covers: ['m5'] });
    expect(reportTurn(more, 1, 'answered', 500)).toEqual({ turn: more.next, handOff: false });
    // An attempt that failed sees on its next try whatever came meanwhile.
    const failed = reportTurn(more, 1, 'failed', 500);
    expect(failed?.turn).toMatchObject({ id: 'm1', phase: 'waiting', next: null, dueAt: 1500, covers: ['m4', 'm5'] });
    expect(failed?.turn && answersFor(failed.turn, 'm5')).toBe(true);
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
    const asked = (pending: Pending, from: number) => {
      const requested = requestTurn(state, pending, { ...begin(from, 0), askedBy: [`flow${from}`] });
      return requested.ok ? requested.value : null;
    };
    const waiting = asked(pendingWith([newTurn(begin(4, 0))]), 2);
    expect(waiting?.turns).toMatchObject([{ id: 'm4', from: 2 }]);
    expect(waiting && isTurnOpen(waiting, 'm2')).toBe(true);
    const answering = pendingWith([claimed(newTurn(begin(4, 0)), 5)]);
    expect(asked(answering, 5)?.turns).toMatchObject([{ id: 'm4', next: null }]);
    const next = asked(answering, 6);
    expect(next?.turns).toMatchObject([{ id: 'm4', next: { id: 'm6' } }]);
    expect(next && isTurnOpen(next, 'm6')).toBe(true);
    expect(asked(pendingWith([], { ada: 6 }), 6)).toBeNull();
    expect(asked(pendingWith([], { ada: 6 }), 7)?.turns).toMatchObject([{ id: 'm7' }]);
  });

  test('is forgotten with the flow that was stopped, unless somebody else wants the same', () => {
    const of = (...askedBy: string[]) => newTurn({ ...begin(4, 0), askedBy });
    expect(withoutAsker(of('one'), 'one')).toBeNull();
    expect(withoutAsker(of('one', 'two'), 'one')).toMatchObject({ id: 'm4', askedBy: ['two'] });
    expect(withoutAsker(newTurn(begin(4, 0)), 'one')).toMatchObject({ id: 'm4' });
    expect(withoutAsker({ ...of('one'), next: newTurn(begin(5, 0)) }, 'one')).toMatchObject({ id: 'm5' });
  });

  test('is refused where people answer, and to a fenced flow of an older epoch', () => {
    const refusals = [
      [{ ownerId: 'a' }, 'MODE_CHANGED'],
      [{ aiMode: 'human' as const }, 'MODE_CHANGED'],
      [{ modeEpoch: 2 }, 'MODE_CHANGED'],
      [{ optOut: true }, 'CONTACT_OPTED_OUT'],
      [{ lifecycle: 'closed' as const }, 'CONVERSATION_CLOSED'],
    ] as const;
    for (const [over, code] of refusals) {
      expect(requestTurn({ ...state, ...over }, NOTHING_PENDING, begin(6, 0))).toEqual({ ok: false, error: { code } });
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
