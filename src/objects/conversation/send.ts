import type { ConversationAggregate, Decision } from './aggregate.ts';
import { isStopped } from './automation.ts';
import { queueOutbox } from '../runtime/drains.ts';
import type { Address } from '../../domain/addresses.ts';
import type { DeliveryNews, IdempotencyClaim, SendCommand } from '../../domain/conversation/commands.ts';
import { openConversation } from '../../domain/conversation/decide-inbound.ts';
import { decideDeliveryNews } from '../../domain/conversation/decide-message.ts';
import { decideSend } from '../../domain/conversation/decide-send.ts';
import { joinStatus } from '../../domain/conversation/delivery/delivery-status.ts';
import { decideFallback, NOT_NEEDED, unneededIn } from '../../domain/conversation/delivery/fallback.ts';
import { decideProviderSignal } from '../../domain/conversation/delivery/provider-signal.ts';
import {
  claim,
  CLAIM_LEASE_MS,
  expire,
  heads,
  publish,
  report,
  type Send,
  type SendOutcome,
  type SendPolicy,
  type SendStep,
} from '../../domain/conversation/delivery/sends.ts';
import { reachedBy } from '../../domain/conversation/delivery/watermark.ts';
import { isMessageEvent, type NewConversationEvent } from '../../domain/conversation/events.ts';
import { activeBinding, findBinding } from '../../domain/conversation/identity/bindings.ts';
import { THREAD_MESSAGES, threadOf, type MailThread } from '../../domain/conversation/mail-thread.ts';
import type { ConversationState, Delivery, Message, ChannelBinding } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { HOUR, microsOf, SECOND, type Micros, type Millis } from '../../domain/time.ts';
import type { ChannelSendJob } from '../../queues/jobs.ts';
import type { ConversationRecord } from './store.ts';

/*
 * A message on its way out, in the order in which it happens: accepted, published to the queue, claimed by the queue's consumer,
 * reported by it, confirmed by the provider's receipts, and sent by another channel where the first one fails.
 */

const KEY_LIFE_MS = 24 * HOUR;
/** As many unseen messages as a 412 lists. */
const UNSEEN_LIMIT = 100;

/** Accepts a message once per idempotency key and once per message id (a repeated RPC). The answer is the message as it was accepted. */
export function send(aggregate: ConversationAggregate, command: SendCommand): Result<Message, Refusal> {
  const earlier = earlierAnswer(aggregate, command);
  if (earlier) return earlier;

  const at = aggregate.now();
  const found = conversationFor(aggregate, command, at);
  if (!found.ok) return found;
  const { state, opened } = found.value;
  if (isStopped(aggregate, command.activeflowId)) return err({ code: 'ACTIVEFLOW_STOPPED' });

  const { expectedSequence, idempotency, settings } = command;
  const unseen = expectedSequence === null ? [] : aggregate.stored.messagesAfter(expectedSequence, UNSEEN_LIMIT);
  const decided = decideSend(state, command, unseen, at);
  if (!decided.ok) return decided;

  const used = { messageId: command.messageId, expiresAt: Date.now() + KEY_LIFE_MS };
  aggregate.commit({
    at,
    events: [...opened, ...decided.value],
    ...(settings ? { record: { settings } } : {}),
    ...(idempotency ? { keys: [{ key: keyOf(idempotency), fingerprint: idempotency.fingerprint, ...used }] } : {}),
  });
  return asAccepted(aggregate, command.messageId);
}

interface SendTarget {
  state: ConversationState;
  /** The events that create it, where it is new: none of them is stored when the message is refused. */
  opened: NewConversationEvent[];
}

function conversationFor(
  aggregate: ConversationAggregate,
  { customerId, first }: SendCommand,
  at: Micros,
): Result<SendTarget, Refusal> {
  if (aggregate.isErased()) return err({ code: first ? 'CONVERSATION_CLOSED' : 'CONVERSATION_NOT_FOUND' });
  if (first && !aggregate.conversation) {
    const state = openConversation(first, at);
    return ok({ state, opened: [{ type: 'conversation.created', conversation: state, change: null }] });
  }
  const found = aggregate.find(customerId);
  if (found.ok) return ok({ state: found.value, opened: [] });
  // A deleted conversation is over: the contact's next one takes the message.
  return first ? err({ code: 'CONVERSATION_CLOSED' }) : found;
}

const keyOf = ({ key }: IdempotencyClaim): string => `api:${key}`;

/** What the request was answered before; null for a new one. Also where the conversation is over, or deleted, since. */
export function earlierAnswer(
  aggregate: ConversationAggregate,
  { customerId, messageId, idempotency }: Pick<SendCommand, 'customerId' | 'messageId' | 'idempotency'>,
): Result<Message, Refusal> | null {
  if (aggregate.conversation?.customerId !== customerId) return null;
  if (aggregate.stored.message(messageId)) return asAccepted(aggregate, messageId);
  const used = idempotency && aggregate.stored.keys.used(keyOf(idempotency), Date.now());
  if (!used) return null;
  if (used.fingerprint !== idempotency.fingerprint) return err({ code: 'IDEMPOTENCY_KEY_REUSED' });
  return asAccepted(aggregate, used.messageId);
}

/** The message as its first event had it, so that a repeated request gets the same answer while the send goes on. */
function asAccepted(aggregate: ConversationAggregate, messageId: string): Result<Message, Refusal> {
  const message = aggregate.stored.message(messageId);
  const [event] = message ? aggregate.eventsAfter(message.sequence - 1, 1) : [];
  return event && isMessageEvent(event) ? ok(event.message) : err({ code: 'CONVERSATION_MESSAGE_NOT_FOUND' });
}

/** The drain towards the queue `channel-sends`: the head of each lane, and only that, so that retries keep the order. */
export const sendOutbox = (env: Env, aggregate: ConversationAggregate): (() => Promise<void>) =>
  queueOutbox({
    name: 'sends',
    queue: env.CHANNEL_SENDS,
    publish: (now) => publishDue(aggregate, now),
    putBack: (jobs, dueAt) => putBack(aggregate, jobs, dueAt),
  });

function publishDue(aggregate: ConversationAggregate, now: Millis): ChannelSendJob[] {
  const due = heads(aggregate.sends).filter((each) => each.phase === 'waiting' && each.dueAt <= now);
  const conversationId = aggregate.conversation?.id;
  if (due.length === 0 || conversationId === undefined) return [];
  aggregate.commit({ saveSends: due.map((each) => publish(each, now)) });
  return due.map(({ deliveryId, accountId, attempt }) => ({
    v: 1,
    conversationId,
    deliveryId,
    accountId,
    attempt: attempt + 1,
  }));
}

function putBack(aggregate: ConversationAggregate, jobs: ChannelSendJob[], dueAt: Millis): void {
  const isRefused = ({ deliveryId, phase, attempt }: Send): boolean =>
    phase === 'published' && jobs.some((job) => job.deliveryId === deliveryId && job.attempt === attempt + 1);
  const refused = aggregate.sends.filter(isRefused);
  aggregate.commit({ saveSends: refused.map((each) => ({ ...each, phase: 'waiting', dueAt })) });
}

/** What the consumer needs for one attempt. It travels by RPC, never through the queue. */
export interface SendOrder {
  message: Message;
  deliveryId: string;
  to: string;
  /** Our own address on the binding that it goes by. */
  from: Address;
  replyToken: string | null;
  publicUrl: string;
  /** The time for free text is over: what goes out is a person's, or a template. */
  isAfterWindow: boolean;
  /** The AddressObject to ask whether the contact has opted out: it never wrote here through this binding, so nobody has told us. */
  askConsentOf: string | null;
  /** Its place among the mails before; null on other channels. */
  thread: MailThread | null;
}

/** A reply token serves one attempt, so that attempt cannot be repeated safely, and no receipt will come for it. */
const REPLY_POLICY: SendPolicy = { idempotent: false, receiptWaitMs: 0 };

/** Leases one attempt to the consumer; null when the job is a repeat, stale, or out of turn. */
export function claimSend(
  aggregate: ConversationAggregate,
  deliveryId: string,
  attempt: number,
  policy: SendPolicy,
): SendOrder | null {
  const { record, sends } = aggregate;
  const waiting = aggregate.send(deliveryId);
  const message = waiting && aggregate.stored.message(waiting.messageId);
  const delivery = message?.deliveries.find(({ id }) => id === deliveryId);
  if (!record || !waiting || !message || !delivery) return null;
  const binding = findBinding(record.conversation, delivery.addressName) ?? activeBinding(record.conversation);
  const token = usableToken(record.replyToken, binding, Date.now());
  const isHead = heads(sends).includes(waiting);
  const claimed = claim(waiting, isHead, attempt, token === null ? policy : REPLY_POLICY, Date.now());
  if (!claimed) return null;
  aggregate.commit({ saveSends: [claimed], ...(token === null ? {} : { record: { replyToken: null } }) });
  return orderOf(aggregate, record, message, delivery, binding, token);
}

/** A reply token answers on the binding on which it came. */
const usableToken = (stored: ConversationRecord['replyToken'], binding: ChannelBinding, now: Millis): string | null =>
  stored && stored.expiresAt > now && stored.addressName === binding.addressName ? stored.token : null;

function orderOf(
  aggregate: ConversationAggregate,
  { conversation, settings }: ConversationRecord,
  message: Message,
  delivery: Delivery,
  binding: ChannelBinding,
  replyToken: string | null,
): SendOrder {
  const { window, addressName } = binding;
  const thread = (): MailThread => {
    const earlier = aggregate.stored.messagesUnder(message.sequence, THREAD_MESSAGES);
    return threadOf(message, earlier, addressName, conversation.name);
  };
  return {
    message,
    deliveryId: delivery.id,
    to: delivery.target,
    from: binding.self,
    replyToken,
    publicUrl: settings.publicUrl,
    isAfterWindow: window !== null && aggregate.now() >= window.until,
    askConsentOf: binding.heardAt === 0 ? addressName || null : null,
    thread: binding.type === 'email' ? thread() : null,
  };
}

/** The consumer's report on one attempt. */
export function reportSend(
  aggregate: ConversationAggregate,
  deliveryId: string,
  attempt: number,
  outcome: SendOutcome,
): void {
  const claimed = aggregate.send(deliveryId);
  if (claimed) commitStep(aggregate, claimed, report(claimed, attempt, outcome, Date.now(), Math.random()));
}

/** Ends the leases and the waits for a receipt that have run out. */
export function expireSends(aggregate: ConversationAggregate, now: Millis): void {
  const expired = heads(aggregate.sends).filter(({ phase, dueAt }) => phase !== 'waiting' && dueAt <= now);
  for (const each of expired) commitStep(aggregate, each, expire(each, now, Math.random()));
}

/** What a step of the send machine leaves, in one commit: the send itself, and the delivery's news. */
function commitStep(aggregate: ConversationAggregate, before: Send, step: SendStep): void {
  if (step.send === before && !step.news) return;
  const { deliveryId } = before;
  const message = aggregate.stored.message(before.messageId);
  const withdrawn = step.send?.withdrawn ?? null;
  // A message that was deleted during an attempt has nothing left for another one.
  const next = message?.deletedAt === null && !withdrawn ? step.send : null;
  const sends: SendChanges = next ? { saveSends: [next] } : { dropSends: [deliveryId] };
  const news: DeliveryNews | null = withdrawn ? { ...step.news, status: 'failed', error: withdrawn } : step.news;
  if (!message || !news) return aggregate.commit(sends);
  commitNews(aggregate, message, deliveryId, { ...news, ...sentAtOf(before) }, sends);
}

type SendChanges = Pick<Decision, 'saveSends' | 'dropSends'>;

const sentAtOf = (begun: Send | null): Pick<DeliveryNews, 'sentAt'> =>
  begun?.claimedAt === undefined ? {} : { sentAt: microsOf(begun.claimedAt) };

/**
 * The provider's status callback. Whatever it says, the provider has the message, which is what `sent` means: the lane is free, and an
 * attempt that ended without an answer needs no repeat. False for an unknown delivery.
 */
export function receipt(aggregate: ConversationAggregate, deliveryId: string, news: DeliveryNews): boolean {
  const message = aggregate.stored.messageOfDelivery(deliveryId);
  if (!message) return false;
  const begun = aggregate.send(deliveryId);
  const sends: SendChanges = begun && begun.attempt > 0 ? { dropSends: [deliveryId] } : {};
  const outcome = { ...news, ...sentAtOf(begun), status: joinStatus(news.status, 'sent') };
  commitNews(aggregate, message, deliveryId, outcome, sends);
  return true;
}

/** News of one delivery, with what it says of the contact, and what is sent or no longer sent because of it. */
function commitNews(
  aggregate: ConversationAggregate,
  message: Message,
  deliveryId: string,
  news: DeliveryNews,
  { saveSends = [], dropSends = [] }: SendChanges,
): void {
  const { record } = aggregate;
  const at = aggregate.now();
  const updates = decideDeliveryNews(message, deliveryId, withWatermark(record, message, deliveryId, news), at);
  // A repeat says nothing new of the contact either.
  if (!record || updates.length === 0) return aggregate.commit({ at, saveSends, dropSends });

  const consentAt = (name: string) => record.consents[name]?.at ?? 0;
  const signal = decideProviderSignal(record.conversation, message, deliveryId, news, consentAt, at);
  const { addressName, optedOut } = signal;
  // As old as the message that the provider refuses: a later word of the contact's counts more.
  const refusedAt = message.createdAt;
  const refusal = { at: refusedAt, unpublished: { optOut: true, at: refusedAt } };
  const fallback = optedOut ? [] : fallbackEvents(aggregate, signal.events, updates, deliveryId, at);
  const needless = needlessFallback(aggregate, updates, at);
  aggregate.commit({
    at,
    events: [...updates, ...needless.events, ...signal.events, ...fallback],
    saveSends,
    dropSends: [...dropSends, ...needless.dropSends],
    ...(optedOut ? { record: { consents: { ...record.consents, [addressName]: refusal } } } : {}),
  });
}

/** A watermark may have come before the news of the sending: one beyond it says more. */
function withWatermark(
  record: ConversationRecord | null,
  message: Message,
  deliveryId: string,
  news: DeliveryNews,
): DeliveryNews {
  const name = message.deliveries.find(({ id }) => id === deliveryId)?.addressName ?? '';
  const watermark = record?.watermarks[name];
  if (news.status !== 'sent' || news.sentAt === undefined || !watermark) return news;
  return { ...news, status: reachedBy(watermark, news.sentAt) };
}

/** A fallback that still waits, where the news is that the message has arrived after all. */
function needlessFallback(aggregate: ConversationAggregate, updates: NewConversationEvent[], at: Micros) {
  const [event] = updates;
  const message = event?.type === 'message.updated' ? event.message : null;
  const waiting = aggregate.sends.flatMap(({ phase, deliveryId }) => (phase === 'claimed' ? [] : [deliveryId]));
  const id = message && unneededIn(message, waiting);
  if (!message || id === null) return { events: [], dropSends: [] };
  return { events: decideDeliveryNews(message, id, { status: 'failed', error: NOT_NEEDED }, at), dropSends: [id] };
}

/** What failed for good goes by the next channel option that will do, if the account wants it so. */
function fallbackEvents(
  aggregate: ConversationAggregate,
  signals: NewConversationEvent[],
  updates: NewConversationEvent[],
  deliveryId: string,
  at: Micros,
): NewConversationEvent[] {
  const event = updates.find((each) => each.type === 'message.updated');
  const state = stateAfter(signals) ?? aggregate.conversation;
  if (!state || event?.type !== 'message.updated') return [];
  const failed = event.message.deliveries.find(({ id }) => id === deliveryId);
  if (failed?.status !== 'failed' || WITHDRAWN.has(failed.error?.code ?? '')) return [];
  if (isOfStoppedFlow(aggregate, event.message)) return [];
  const fallbackOptions = aggregate.stored.fallbackOptions(deliveryId);
  return decideFallback(state, event.message, { deliveryId, fallbackOptions, newId: crypto.randomUUID() }, at);
}

const stateAfter = (events: NewConversationEvent[]) =>
  events.flatMap((event) => ('conversation' in event ? [event.conversation] : [])).at(-1);

/** Nothing of a stopped activeflow begins any more, also where its message had been sent and came back since. */
const isOfStoppedFlow = (aggregate: ConversationAggregate, { sender }: Message): boolean =>
  sender.type === 'flow' && isStopped(aggregate, sender.id);

/** The errors of what must not be sent at all (fencing.ts). */
const WITHDRAWN = new Set(['CONTACT_OPTED_OUT', 'MODE_CHANGED', 'ACTIVEFLOW_STOPPED']);

/** Answers that no visitor of the web chat was seen to receive go by e-mail, where an address is known. */
export function runPendingFallbacks(aggregate: ConversationAggregate, now: Millis): void {
  const pending = aggregate.record?.pending;
  const due = pending?.pendingFallbacks.filter(({ dueAt }) => dueAt <= now) ?? [];
  if (!pending || due.length === 0) return;
  const pendingFallbacks = pending.pendingFallbacks.filter((each) => !due.includes(each));
  aggregate.commit({ record: { pending: { ...pending, pendingFallbacks } } });
  for (const { messageId, deliveryId } of due) fallBack(aggregate, messageId, deliveryId);
}

function fallBack(aggregate: ConversationAggregate, messageId: string, deliveryId: string): void {
  const state = aggregate.conversation;
  const message = aggregate.stored.message(messageId);
  const isUnseen = message?.deliveries.some(({ id, status }) => id === deliveryId && status === 'sent');
  if (!state || state.deletedAt !== null || !message || !isUnseen || isOfStoppedFlow(aggregate, message)) return;
  const at = aggregate.now();
  const fallbackOptions = aggregate.stored.fallbackOptions(deliveryId);
  const events = decideFallback(state, message, { deliveryId, fallbackOptions, newId: crypto.randomUUID() }, at);
  aggregate.commit({ at, events, fallbackOptions: { [deliveryId]: [] } });
}

/** The sends of a message that nobody has begun: they end when it is deleted. */
export const unbegunSendsOf = (aggregate: ConversationAggregate, { deliveries }: Message): string[] =>
  deliveries.flatMap(({ id }) => {
    const phase = aggregate.send(id)?.phase;
    return phase === undefined || phase === 'claimed' ? [] : [id];
  });

/**
 * A consumer begins its request within two seconds of its claim or not at all (queues/channel-sends.ts): after that a provider has it,
 * and only its answer is still missing.
 */
const LONGEST_WAIT_MS: Millis = 3 * SECOND;

/**
 * Attempts that began before a takeover cannot be called back, so the takeover is acknowledged when they are over: after that
 * nothing of an assistant's or a fenced flow's reaches the provider (invariant 7).
 */
export class AttemptsUnderWay {
  readonly #aggregate: ConversationAggregate;
  #waiting: (() => void)[] = [];

  constructor(aggregate: ConversationAggregate) {
    this.#aggregate = aggregate;
  }

  /** An attempt is over. */
  ended(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    waiting.forEach((resume) => resume());
  }

  /** Until no forbidden attempt can still reach its provider. Also for a command that repeats a takeover whose first answer was lost. */
  async noneForbidden(): Promise<void> {
    for (let end = this.#forbiddenUntil(); end > Date.now(); end = this.#forbiddenUntil())
      await this.#nextEnd(end - Date.now());
  }

  /** 0 when none is under way. */
  #forbiddenUntil(): Millis {
    const forbidden = this.#aggregate.sends.filter((each) => each.phase === 'claimed' && each.withdrawn);
    return Math.max(0, ...forbidden.map(({ dueAt }) => dueAt - CLAIM_LEASE_MS + LONGEST_WAIT_MS));
  }

  /** The timer ends with the report, because an object with a timer is not evicted. */
  async #nextEnd(limit: Millis): Promise<void> {
    const timer = new AbortController();
    const late = scheduler.wait(limit, { signal: timer.signal }).catch(() => undefined);
    await Promise.race([new Promise<void>((resume) => this.#waiting.push(resume)), late]);
    timer.abort();
  }
}
