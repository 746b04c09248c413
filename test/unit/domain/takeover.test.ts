import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TakeoverWorld, type Move } from './takeover-world.ts';

const pick = fc.nat(20);
const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom<Move[]>({ kind: 'says' }, { kind: 'fenced-flow' }, { kind: 'flow' }) },
  { weight: 8, arbitrary: fc.constant<Move>({ kind: 'drain' }) },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Move[]>(
      { kind: 'takeover' },
      { kind: 'reply' },
      { kind: 'echo' },
      { kind: 'give-back' },
    ),
  },
  { weight: 1, arbitrary: fc.constant<Move>({ kind: 'stop' }) },
  {
    weight: 12,
    arbitrary: fc.record({ kind: fc.constantFrom('turn' as const, 'send' as const, 'arrive' as const), pick }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose' as const), pick }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('answer' as const),
      pick,
      outcome: fc.constantFrom('answered' as const, 'answered' as const, 'failed' as const, 'gone' as const),
      handoff: fc.boolean(),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('report' as const),
      pick,
      accepted: fc.constantFrom(true, true, true, false),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('later' as const), ms: fc.oneof(fc.nat(2000), fc.nat(40_000)) }),
  },
);

/** Whether the schedules do anything: a world in which nothing is ever sent or refused proves nothing. */
let arrived = 0;
let refused = 0;

test('nothing fenced reaches the provider after a takeover was acknowledged, over every schedule', () => {
  fc.assert(
    fc.property(fc.array(move, { minLength: 20, maxLength: 150, size: 'max' }), (moves) => {
      const world = new TakeoverWorld();
      moves.forEach((each) => world.take(each));
      arrived += world.arrivals.filter(({ fence }) => fence !== null).length;
      refused += world.refusals;
      expect(world.lateArrivals).toEqual([]);
    }),
    { numRuns: 2000 },
  );
  expect(arrived).toBeGreaterThan(500);
  expect(refused).toBeGreaterThan(500);
});

test('an assistant has one turn at a time, and answers no message twice', () => {
  fc.assert(
    fc.property(fc.array(move, { minLength: 20, maxLength: 100, size: 'max' }), (moves) => {
      const world = new TakeoverWorld();
      for (const each of moves) {
        world.take(each);
        expect(world.pending.turns.length).toBeLessThanOrEqual(1);
        const [turn] = world.pending.turns;
        if (!turn) continue;
        expect(turn.epoch).toBe(world.state.modeEpoch);
        expect(turn.from).toBeGreaterThan(world.pending.answered[turn.assistantId] ?? 0);
      }
    }),
    { numRuns: 1000 },
  );
});

test('what is not fenced still goes out: a flow goes on through a takeover', () => {
  const world = new TakeoverWorld();
  const moves: Move[] = [
    { kind: 'says' },
    { kind: 'flow' },
    { kind: 'takeover' },
    { kind: 'flow' },
    { kind: 'drain' },
    { kind: 'send', pick: 0 },
    { kind: 'report', pick: 0, accepted: true },
    { kind: 'drain' },
    { kind: 'send', pick: 1 },
    { kind: 'report', pick: 0, accepted: true },
  ];
  moves.forEach((each) => world.take(each));
  expect(world.arrivals).toHaveLength(2);
});
