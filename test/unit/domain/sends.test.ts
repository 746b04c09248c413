import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  claim,
  CLAIM_LEASE_MS,
  expire,
  heads,
  MAX_ATTEMPTS,
  newSend,
  nextSendAt,
  publish,
  PUBLISH_LEASE_MS,
  report,
  type Send,
  type SendOutcome,
  type SendPolicy,
} from '../../../src/domain/conversation/delivery/sends.ts';

const IDEMPOTENT: SendPolicy = { idempotent: true, receiptWaitMs: 0 };
const CAREFUL: SendPolicy = { idempotent: false, receiptWaitMs: 60_000 };

const aSend = (position = 1, lane = 'a'): Send =>
  newSend({ deliveryId: `d${position}${lane}`, messageId: `m${position}`, accountId: 'acc', lane, position });

const claimed = (policy = CAREFUL, now = 0): Send => {
  const send = claim(publish(aSend(), now), true, 1, policy, now);
  if (!send) throw new Error('not claimed');
  return send;
};

describe('a claim', () => {
  test('is granted once per attempt: a repeated job finds it taken', () => {
    const send = claimed();
    expect(claim(send, true, 1, CAREFUL, 1)).toBeNull();
    expect(claim(send, true, 2, CAREFUL, 1)).toBeNull();
  });

  test('is refused out of turn, for a stale attempt, and before a retry is due', () => {
    const published = publish(aSend(), 0);
    expect(claim(published, false, 1, CAREFUL, 0)).toBeNull();
    expect(claim(published, true, 2, CAREFUL, 0)).toBeNull();
    const { send } = report(claimed(), 1, { kind: 'retry', code: 'x', text: '', retryAfterMs: 5000 }, 0, 0);
    expect(send).toMatchObject({ phase: 'waiting', dueAt: 5000 });
    expect(send && claim(send, true, 2, CAREFUL, 4999)).toBeNull();
    expect(send && claim(send, true, 2, CAREFUL, 5000)).toMatchObject({ phase: 'claimed', attempt: 2 });
  });
});

describe('a report', () => {
  test('of acceptance ends the send, however late it comes', () => {
    const accepted: SendOutcome = { kind: 'accepted', providerId: 'p' };
    expect(report(claimed(), 1, accepted, 0, 0)).toMatchObject({
      send: null,
      news: { status: 'sent', providerId: 'p' },
    });
    const { send } = expire(claimed(), CLAIM_LEASE_MS, 0);
    expect(send && report(send, 1, accepted, CLAIM_LEASE_MS, 0).send).toBeNull();
  });

  test('of refusal ends it with the provider’s own words', () => {
    const step = report(claimed(), 1, { kind: 'rejected', code: '21211', text: 'invalid number' }, 0, 0);
    expect(step).toEqual({
      send: null,
      news: { status: 'failed', error: { code: '21211', text: 'invalid number' }, attempts: 1 },
    });
  });

  test('without an answer waits for a receipt where repeats are not dropped, and says that it is uncertain', () => {
    const step = report(claimed(CAREFUL, 1000), 1, { kind: 'unknown', code: 'TIMEOUT', text: '' }, 1000, 0);
    expect(step).toMatchObject({ send: { phase: 'unknown', dueAt: 61_000 }, news: { uncertain: true } });
  });

  test('without an answer is repeated at once where the provider drops repeats, and stays certain', () => {
    const step = report(claimed(IDEMPOTENT), 1, { kind: 'unknown', code: 'TIMEOUT', text: '' }, 0, 0);
    expect(step).toMatchObject({ send: { phase: 'waiting' }, news: { status: 'sending', attempts: 1 } });
    expect(step.news?.uncertain).toBeUndefined();
  });

  test('of an attempt that was overtaken changes nothing', () => {
    const { send } = report(claimed(), 1, { kind: 'retry', code: 'x', text: '', retryAfterMs: 0 }, 0, 0);
    const again = send && claim(send, true, 2, CAREFUL, send.dueAt);
    expect(again && report(again, 1, { kind: 'rejected', code: 'x', text: '' }, 0, 0)).toEqual({
      send: again,
      news: null,
    });
  });

  test('that fails for good after the last attempt keeps the last error', () => {
    const last = { ...claimed(), attempt: MAX_ATTEMPTS };
    const step = report(
      last,
      MAX_ATTEMPTS,
      { kind: 'retry', code: 'HTTP_503', text: 'down', retryAfterMs: null },
      0,
      0,
    );
    expect(step).toMatchObject({ send: null, news: { status: 'failed', error: { code: 'HTTP_503', text: 'down' } } });
  });
});

describe('Retry-After', () => {
  const again = (retryAfterMs: number | null) =>
    report(claimed(), 1, { kind: 'retry', code: '429', text: '', retryAfterMs }, 0, 0).send?.dueAt;

  test('makes a wait longer, and never shorter than the schedule', () => {
    expect([again(null), again(0), again(60_000), again(1e12)]).toEqual([1000, 1000, 60_000, 86_400_000]);
  });
});

describe('a lease', () => {
  test('of a published job that nobody claimed sends it to the queue again, as the same attempt', () => {
    const published = publish(aSend(), 0);
    expect(expire(published, PUBLISH_LEASE_MS - 1, 0).send).toEqual(published);
    expect(expire(published, PUBLISH_LEASE_MS, 0).send).toMatchObject({ phase: 'waiting', attempt: 0 });
  });

  test('of a claim that died makes it unknown, and a receipt that never comes lets it go again', () => {
    const { send, news } = expire(claimed(), CLAIM_LEASE_MS, 0);
    expect(send?.phase).toBe('unknown');
    expect(news).toMatchObject({ uncertain: true });
    expect(send && expire(send, send.dueAt, 0).send).toMatchObject({ phase: 'waiting', attempt: 1 });
  });
});

describe('lanes', () => {
  test('let only their first send go, whatever its phase', () => {
    const waiting: Send = { ...aSend(1), phase: 'unknown', dueAt: 99_999 };
    expect(
      heads([aSend(3), waiting, aSend(2), aSend(7, 'b')])
        .map(({ position }) => position)
        .toSorted((a, b) => a - b),
    ).toEqual([1, 7]);
    expect(nextSendAt([waiting, aSend(2)])).toBe(99_999);
    expect(nextSendAt([])).toBeNull();
  });
});

type Step =
  | { kind: 'drain' }
  | { kind: 'deliver'; job: number }
  | { kind: 'lose'; job: number }
  | { kind: 'answer'; call: number; outcome: SendOutcome }
  | { kind: 'later'; ms: number };

const outcome: fc.Arbitrary<SendOutcome> = fc.oneof(
  fc.constant<SendOutcome>({ kind: 'accepted', providerId: 'p' }),
  fc.constant<SendOutcome>({ kind: 'rejected', code: '1', text: '' }),
  fc.record({
    kind: fc.constant('retry' as const),
    code: fc.constant('1'),
    text: fc.constant(''),
    retryAfterMs: fc.option(fc.nat(100_000)),
  }),
  fc.constant<SendOutcome>({ kind: 'unknown', code: '1', text: '' }),
);

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.constant<Step>({ kind: 'drain' }),
  fc.record({ kind: fc.constant('deliver' as const), job: fc.nat(20) }),
  fc.record({ kind: fc.constant('lose' as const), job: fc.nat(20) }),
  fc.record({ kind: fc.constant('answer' as const), call: fc.nat(20), outcome }),
  fc.record({ kind: fc.constant('later' as const), ms: fc.nat(70_000) }),
);

/** The object, a queue that loses, repeats and reorders, and consumers that die: everything around the pure machine. */
class World {
  now = 0;
  readonly sends = new Map<string, Send>();
  readonly jobs: { id: string; attempt: number }[] = [];
  readonly calls: { id: string; attempt: number }[] = [];
  /** What the provider was asked, in order; and which deliveries are known to be uncertain. */
  readonly asked: string[] = [];
  readonly accepted: string[] = [];
  readonly uncertain = new Set<string>();
  readonly ended = new Map<string, string>();
  readonly policy: SendPolicy;

  constructor(policy: SendPolicy, count: number) {
    this.policy = policy;
    for (let position = 1; position <= count; position += 1) this.sends.set(`d${position}a`, aSend(position));
  }

  take(each: Step): void {
    if (each.kind === 'later') this.now += each.ms;
    if (each.kind === 'drain') this.drain();
    if (each.kind === 'lose') this.jobs.splice(each.job % Math.max(1, this.jobs.length), 1);
    if (each.kind === 'deliver') this.deliver(each.job);
    if (each.kind === 'answer') this.answer(each.call, each.outcome);
  }

  drain(): void {
    for (const head of heads([...this.sends.values()])) {
      const { send, news } = expire(head, this.now, 0);
      this.keep(head.deliveryId, send, news);
      if (send?.phase !== 'waiting' || send.dueAt > this.now) continue;
      this.sends.set(send.deliveryId, publish(send, this.now));
      this.jobs.push({ id: send.deliveryId, attempt: send.attempt + 1 });
    }
  }

  /** The job stays in the queue: it may be delivered again. */
  deliver(index: number): void {
    const job = this.jobs[index % Math.max(1, this.jobs.length)];
    const send = job && this.sends.get(job.id);
    if (!job || !send) return;
    const isHead = heads([...this.sends.values()]).some(({ deliveryId }) => deliveryId === job.id);
    const taken = claim(send, isHead, job.attempt, this.policy, this.now);
    if (!taken) return;
    this.sends.set(job.id, taken);
    this.calls.push({ id: job.id, attempt: taken.attempt });
    this.asked.push(job.id);
  }

  answer(index: number, result: SendOutcome): void {
    const [call] = this.calls.splice(index % Math.max(1, this.calls.length), 1);
    if (!call) return;
    if (result.kind === 'accepted') this.accepted.push(call.id);
    const send = this.sends.get(call.id);
    if (!send) return;
    const after = report(send, call.attempt, result, this.now, 0);
    this.keep(call.id, after.send, after.news);
  }

  keep(id: string, send: Send | null, news: { status: string; uncertain?: boolean } | null): void {
    if (news?.uncertain) this.uncertain.add(id);
    if (send) this.sends.set(id, send);
    else this.sends.delete(id);
    if (!send && news) this.ended.set(id, news.status);
  }
}

const settle = (world: World): void => {
  for (let round = 0; world.sends.size > 0 && round < 500; round += 1) {
    world.now += 24 * 3600 * 1000;
    world.drain();
    while (world.calls.length > 0) world.answer(0, { kind: 'unknown', code: 'died', text: '' });
    world.jobs.forEach((_, index) => world.deliver(index));
    while (world.calls.length > 0) world.answer(0, { kind: 'accepted', providerId: 'p' });
  }
};

describe('over every schedule of a queue that loses, repeats and reorders', () => {
  const schedules = fc.array(step, { maxLength: 120 });

  test('the provider is asked in log order, every send ends, and a second acceptance is only of an uncertain delivery', () => {
    fc.assert(
      fc.property(schedules, (steps) => {
        const world = new World(CAREFUL, 4);
        steps.forEach((each) => world.take(each));
        settle(world);
        expect(world.sends.size).toBe(0);
        expect(world.asked).toEqual(world.asked.toSorted());
        const twice = world.accepted.filter((id, index) => world.accepted.indexOf(id) !== index);
        expect(twice.filter((id) => !world.uncertain.has(id))).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });

  test('the same holds for an idempotent channel, and nothing of it is ever uncertain', () => {
    fc.assert(
      fc.property(schedules, (steps) => {
        const world = new World(IDEMPOTENT, 4);
        steps.forEach((each) => world.take(each));
        settle(world);
        expect(world.sends.size).toBe(0);
        expect(world.uncertain.size).toBe(0);
        expect(world.asked).toEqual(world.asked.toSorted());
      }),
      { numRuns: 2000 },
    );
  });
});
