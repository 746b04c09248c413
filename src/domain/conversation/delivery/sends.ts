import { HOUR, MINUTE, SECOND, type Millis } from '../../time.ts';
import type { DeliveryNews } from '../commands.ts';
import type { ProviderError } from '../state.ts';

/**
 * One delivery under way. It exists from the message's commit until the consumer's report (or a receipt) ends it:
 * a queue's acceptance ends nothing, because queues lose, repeat and reorder.
 *
 *   waiting ──publish──► published ──claim──► claimed ──report──► (gone) | waiting
 *      ▲                     │ lease out          │ lease out, or no answer
 *      └─────────────────────┘                    ▼
 *      └──────────── no receipt in time ───── unknown ──receipt──► (gone)
 */
export interface Send {
  deliveryId: string;
  messageId: string;
  accountId: string;
  /** Sends to one recipient share a lane, and leave it in the log's order. */
  lane: string;
  position: number;
  phase: SendPhase;
  /** Attempts begun. A report or a job that names another attempt is stale. */
  attempt: number;
  /** waiting: publish from then on; published and claimed: the lease's end; unknown: resend from then on. */
  dueAt: Millis;
  policy: SendPolicy;
  /** When the attempt under way, or the last one, began. */
  claimedAt?: Millis;
  /** Why the attempt under way is the last one: something was changed that forbids the message (fencing.ts). */
  withdrawn?: ProviderError;
}

export type SendPhase = 'waiting' | 'published' | 'claimed' | 'unknown';

/** What a channel promises about repeats; its adapter states it, the claim brings it along. */
export interface SendPolicy {
  /** The provider drops a repeat that carries our key. */
  idempotent: boolean;
  /** How long to wait for a receipt after an attempt without an answer, where repeats are not dropped. */
  receiptWaitMs: number;
}

/** How an attempt ended, in the core's words. */
export type SendOutcome =
  | { kind: 'accepted'; providerId: string }
  /** Final: the provider understood and refused. */
  | { kind: 'rejected'; code: string; text: string; optedOut?: boolean; windowClosed?: boolean }
  /** Certainly not accepted; worth another try. */
  | { kind: 'retry'; code: string; text: string; retryAfterMs: number | null }
  /** No answer: the provider may have accepted it. */
  | { kind: 'unknown'; code: string; text: string };

/** What a step leaves: the send (null when it is over) and what to tell about the delivery (null when nothing). */
export interface SendStep {
  send: Send | null;
  news: DeliveryNews | null;
}

/** A published job that nobody claimed by then was lost by the queue. */
export const PUBLISH_LEASE_MS = 20 * SECOND;
/** Longer than any adapter's own timeout: a claim that is silent for so long has died. */
export const CLAIM_LEASE_MS = 30 * SECOND;
const RETRY_DELAYS_MS = [1, 2, 5, 15, 30, 60, 120, 300, 600, 1200, 1800].map((seconds) => seconds * SECOND);
const LONGEST_RETRY_AFTER_MS = 24 * HOUR;
export const MAX_ATTEMPTS = RETRY_DELAYS_MS.length + 1;

export const newSend = (target: Pick<Send, 'deliveryId' | 'messageId' | 'accountId' | 'lane' | 'position'>): Send => ({
  ...target,
  phase: 'waiting',
  attempt: 0,
  dueAt: 0,
  policy: { idempotent: false, receiptWaitMs: MINUTE },
});

export const publish = (send: Send, now: Millis): Send => ({
  ...send,
  phase: 'published',
  dueAt: now + PUBLISH_LEASE_MS,
});

/** The consumer takes the job. Null when it is not this job's turn: a repeat, a stale attempt, or not the head of its lane. */
export function claim(send: Send, isHead: boolean, attempt: number, policy: SendPolicy, now: Millis): Send | null {
  const open = send.phase === 'published' || (send.phase === 'waiting' && send.dueAt <= now);
  if (!isHead || !open || attempt !== send.attempt + 1) return null;
  return { ...send, phase: 'claimed', attempt, policy, claimedAt: now, dueAt: now + CLAIM_LEASE_MS };
}

/** The consumer's report. One that comes after its lease ran out still counts as long as no later attempt has begun. */
export function report(send: Send, attempt: number, outcome: SendOutcome, now: Millis, jitter: number): SendStep {
  const delivered = outcome.kind === 'accepted';
  const stale = attempt !== send.attempt || send.phase === 'published' || send.phase === 'waiting';
  if (stale && !delivered) return { send, news: null };
  switch (outcome.kind) {
    case 'accepted':
      return { send: null, news: { status: 'sent', providerId: outcome.providerId, attempts: attempt } };
    case 'rejected':
      return rejected(outcome, attempt);
    case 'unknown':
      return noAnswer(send, outcome, now, jitter);
    case 'retry':
      return again(send, outcome, outcome.retryAfterMs, now, jitter);
  }
}

/** A lease or a wait that ran out. */
export function expire(send: Send, now: Millis, jitter: number): SendStep {
  if (now < send.dueAt || send.phase === 'waiting') return { send, news: null };
  if (send.phase === 'claimed') {
    return noAnswer(send, { code: 'NO_REPORT', text: 'the attempt ended without a report' }, now, jitter);
  }
  return { send: { ...send, phase: 'waiting', dueAt: now }, news: null };
}

function noAnswer(send: Send, error: { code: string; text: string }, now: Millis, jitter: number): SendStep {
  if (send.policy.idempotent) return again(send, error, null, now, jitter);
  if (send.attempt >= MAX_ATTEMPTS) return failed(error.code, error.text, send.attempt);
  const waiting: Send = { ...send, phase: 'unknown', dueAt: now + send.policy.receiptWaitMs };
  return { send: waiting, news: { ...underWay(send, error), uncertain: true } };
}

function again(
  send: Send,
  error: { code: string; text: string },
  retryAfterMs: number | null,
  now: Millis,
  jitter: number,
): SendStep {
  const step = RETRY_DELAYS_MS[send.attempt - 1];
  if (step === undefined) return failed(error.code, error.text, send.attempt);
  // The provider's word makes a wait longer and never shorter: attempts are few, and a throttle may last.
  const delay = Math.max(step * (1 + jitter / 5), Math.min(retryAfterMs ?? 0, LONGEST_RETRY_AFTER_MS));
  const waiting: Send = { ...send, phase: 'waiting', dueAt: now + Math.ceil(delay) };
  return { send: waiting, news: underWay(send, error) };
}

/** What a client sees of an attempt that was not the last one. */
const underWay = (send: Send, error: { code: string; text: string }): DeliveryNews => ({
  status: 'sending',
  error: { code: error.code, text: error.text },
  attempts: send.attempt,
});

const failed = (code: string, text: string, attempts: number): SendStep => ({
  send: null,
  news: { status: 'failed', error: { code, text }, attempts },
});

function rejected(outcome: Extract<SendOutcome, { kind: 'rejected' }>, attempt: number): SendStep {
  const { code, text, optedOut, windowClosed } = outcome;
  const { send, news } = failed(code, text, attempt);
  const signals = { ...(optedOut ? { optedOut } : {}), ...(windowClosed ? { windowClosed } : {}) };
  return { send, news: news && { ...news, ...signals } };
}

/** The sends that may be in the queue now: the first of each lane. */
export function heads(sends: readonly Send[]): Send[] {
  const first = new Map<string, Send>();
  for (const send of sends) {
    const head = first.get(send.lane);
    if (!head || send.position < head.position) first.set(send.lane, send);
  }
  return [...first.values()];
}

/** When the next send needs a hand, or null when none is under way. */
export function nextSendAt(sends: readonly Send[]): Millis | null {
  const due = heads(sends).map((send) => send.dueAt);
  return due.length === 0 ? null : Math.min(...due);
}
