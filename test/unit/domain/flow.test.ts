import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Action } from '../../../src/domain/flow/action.ts';
import { problemOf } from '../../../src/domain/flow/check.ts';
import { MAX_STEPS, progressAfter, type ActionResult } from '../../../src/domain/flow/progress.ts';
import { expand, expandJson } from '../../../src/domain/flow/variables.ts';

const text = (id: string): Action => ({ id, type: 'conversation_send', option: { text: 'x' } });
const sleep = (id: string, duration: number): Action => ({ id, type: 'sleep', option: { duration } });
const jump = (id: string, goto: string): Action => ({
  id,
  type: 'branch',
  option: { variable: 'voipbin.conversation.state', equals: '', goto },
});
const stop = (id: string): Action => ({ id, type: 'stop', option: {} });

describe('the check of a flow', () => {
  test('finds a loop without rest, wherever it hides, and nothing where there is a rest on every way back', () => {
    const loop = { problem: 'makes a loop without a sleep of at least one second' };
    expect(problemOf([text('a'), jump('b', 'a')])).toMatchObject({ field: 'actions.1.option.goto', ...loop });
    expect(problemOf([jump('a', 'a')])).toMatchObject(loop);
    expect(problemOf([jump('a', 'c'), sleep('b', 5000), text('c'), jump('d', 'c')])).toMatchObject(loop);
    expect(problemOf([text('a'), sleep('b', 999), jump('c', 'a')])).toMatchObject(loop);
    expect(problemOf([text('a'), sleep('b', 1000), jump('c', 'a')])).toBeNull();
    expect(problemOf([text('a'), jump('b', 'd'), stop('c'), text('d')])).toBeNull();
    expect(problemOf([])).toBeNull();
  });

  /** Whatever passes the check comes to an end or to a rest: no run of it does more actions in a row than it has. */
  test('lets nothing pass that can run on without a rest', () => {
    const action = (index: number): fc.Arbitrary<Action> =>
      fc.oneof(
        fc.constant(text(`${index}`)),
        fc.constant(sleep(`${index}`, 1000)),
        fc.constant(stop(`${index}`)),
        fc.nat(5).map((goto) => jump(`${index}`, `${goto}`)),
      );
    const flow = fc.tuple(...[0, 1, 2, 3, 4, 5].map(action));
    fc.assert(
      fc.property(flow, fc.infiniteStream(fc.boolean()), (actions, coin) => {
        if (problemOf(actions)) return;
        let position = 0;
        for (let steps = 1; steps <= actions.length + 1; steps += 1) {
          const now = actions[position];
          if (!now || now.type === 'sleep') return;
          const jumps = now.type === 'branch' && coin.next().value;
          const progress = progressAfter(actions, position, { kind: jumps ? 'jump' : 'done' }, steps);
          if (progress.status !== 'running') return;
          position = progress.position;
        }
        expect.unreachable('it runs on');
      }),
      { numRuns: 3000 },
    );
  });
});

describe('progress', () => {
  const actions = [text('a'), jump('b', 'd'), stop('c'), text('d')];
  const after = (position: number, result: ActionResult, steps = 1) => progressAfter(actions, position, result, steps);

  test('goes on, jumps, ends and stops', () => {
    const going = { status: 'running', position: 1, resumeAt: null, next: { kind: 'go' }, error: '' };
    expect(after(0, { kind: 'done' })).toEqual(going);
    expect(after(0, { kind: 'failed', code: 'X' })).toEqual(going);
    const resting = { kind: 'rest', until: 99 } as const;
    expect(after(3, resting)).toEqual({ status: 'running', position: 3, resumeAt: 4, next: resting, error: '' });
    expect(after(1, { kind: 'jump' })).toMatchObject({ status: 'running', position: 3 });
    expect(after(1, { kind: 'done' })).toMatchObject({ status: 'running', position: 2 });
    expect(after(2, { kind: 'done' })).toMatchObject({
      status: 'ended',
      position: 4,
      next: { kind: 'over' },
      error: '',
    });
    expect(after(3, { kind: 'done' })).toMatchObject({
      status: 'ended',
      position: 4,
      next: { kind: 'over' },
      error: '',
    });
    expect(after(1, { kind: 'over', code: 'MODE_CHANGED' })).toMatchObject({
      status: 'stopped',
      position: 1,
      error: 'MODE_CHANGED',
    });
    expect(after(0, { kind: 'done' }, MAX_STEPS)).toMatchObject({ status: 'failed', error: 'TOO_MANY_STEPS' });
  });
});

describe('variables', () => {
  test('are filled in, unknown ones are empty, and a value that looks like one is left as it is', () => {
    const values = { 'a.b': '${c}', c: 'no', __proto__: 'x' };
    expect(expand('<${a.b}|${ c }|${unknown}|${toString}|$c|${', values)).toBe('<${c}|no|||$c|${');
    expect(expand('https://x/${c}?q=${a.b}', values, encodeURIComponent)).toBe('https://x/no?q=%24%7Bc%7D');
  });

  test('cannot break out of JSON', () => {
    const value = { text: '"},{"x":"${c}\\' };
    expect(JSON.parse(JSON.stringify(expandJson({ list: [{ said: '${text}' }, 1, null, true] }, value)))).toEqual({
      list: [{ said: value.text }, 1, null, true],
    });
  });
});
