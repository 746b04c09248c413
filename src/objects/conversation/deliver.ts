import { withConsent } from './consent.ts';
import type { ConversationAggregate } from './aggregate.ts';
import type { Address } from '../../domain/addresses.ts';
import type { DeliveryNews } from '../../domain/conversation/commands.ts';
import type { NewConversationEvent } from '../../domain/conversation/events.ts';
import { decideFallback, NOT_NEEDED, unneededIn } from '../../domain/conversation/delivery/fallback.ts';
import { decideDeliveryNews } from '../../domain/conversation/decide-message.ts';
import { decideProviderSignal } from '../../domain/conversation/delivery/provider-signal.ts';
import {
  claim,
  heads,
  report,
  type Send,
  type SendOutcome,
  type SendPolicy,
  type SendStep,
} from '../../domain/conversation/delivery/sends.ts';
import { reachedBy } from '../../domain/conversation/delivery/watermark.ts';
import { THREAD_MESSAGES, threadOf, type MailThread } from '../../domain/conversation/mail-thread.ts';
import { findBinding, activeBinding, type ChannelBinding } from '../../domain/conversation/identity/bindings.ts';
import type { Delivery, Message } from '../../domain/conversation/state.ts';
import { joinStatus } from '../../domain/conversation/delivery/delivery-status.ts';
import { microsOf, type Micros, type Millis } from '../../domain/time.ts';
import type { ConversationRecord } from './store.ts';

/** What the consumer needs for one attempt. It travels by RPC, never through the queue. */
export interface SendOrder {
  message: Message;
  deliveryId: string;
  to: string;
  /** Ours, on the way that it goes. */
  from: Address;
  replyToken: string | null;
  publicUrl: string;
  /** The time for free text is over: what goes out is a person's, or a template. */
  isAfterWindow: boolean;
  /** The AddressObject to ask whether the contact has opted out: by this way it never wrote here, so that nobody has told us. */
  askConsentOf: string | null;
  /** Where a mail of it stands among the mails before; null on other channels. */
  thread: MailThread | null;
}

/** A reply token serves one attempt, so that attempt cannot be repeated safely, and no receipt will come for it. */
const REPLY_POLICY: SendPolicy = { idempotent: false, receiptWaitMs: 0 };

const findSend = (aggregate: ConversationAggregate, deliveryId: string) =>
  aggregate.store.sends().find((send) => send.deliveryId === deliveryId);

/** Leases one attempt to the consumer; null when the job is a repeat, stale, or out of turn. */
export function claimSend(
  aggregate: ConversationAggregate,
  deliveryId: string,
  attempt: number,
  policy: SendPolicy,
): SendOrder | null {
  const record = aggregate.store.record();
  const sends = aggregate.store.sends();
  const send = sends.find((candidate) => candidate.deliveryId === deliveryId);
  const message = send && aggregate.store.message(send.messageId);
  const delivery = message?.deliveries.find(({ id }) => id === deliveryId);
  if (!record || !send || !message || !delivery) return null;
  const binding = findBinding(record.conversation, delivery.addressName) ?? activeBinding(record.conversation);
  const token = usableToken(record.replyToken, binding, Date.now());
  const isHead = heads(sends).some((head) => head.deliveryId === deliveryId);
  const claimed = claim(send, isHead, attempt, token === null ? policy : REPLY_POLICY, Date.now());
  if (!claimed) return null;
  aggregate.storage.transactionSync(() => {
    aggregate.store.saveSend(claimed);
    if (token !== null) aggregate.store.saveRecord({ ...record, replyToken: null });
  });
  return orderOf(aggregate, message, delivery, binding, token);
}

function orderOf(
  aggregate: ConversationAggregate,
  message: Message,
  delivery: Delivery,
  binding: ChannelBinding,
  replyToken: string | null,
): SendOrder {
  const { window, addressName } = binding;
  return {
    message,
    deliveryId: delivery.id,
    to: delivery.target,
    from: binding.self,
    replyToken,
    publicUrl: aggregate.store.record()?.settings.publicUrl ?? '',
    isAfterWindow: window !== null && aggregate.now() >= window.until,
    askConsentOf: binding.heardAt === 0 ? addressName || null : null,
    thread: binding.type === 'email' ? threadAt(aggregate, message, addressName) : null,
  };
}

function threadAt(aggregate: ConversationAggregate, message: Message, addressName: string): MailThread {
  const earlier = aggregate.store.messagesUnder(message.sequence, THREAD_MESSAGES);
  return threadOf(message, earlier, addressName, aggregate.store.record()?.conversation.name ?? '');
}

/** It answers by the way on which it came. */
const usableToken = (stored: ConversationRecord['replyToken'], binding: ChannelBinding, now: Millis): string | null =>
  stored && stored.expiresAt > now && (stored.addressName ?? binding.addressName) === binding.addressName
    ? stored.token
    : null;

/** The consumer's word on one attempt. */
export function reportSend(
  aggregate: ConversationAggregate,
  deliveryId: string,
  attempt: number,
  outcome: SendOutcome,
): void {
  const send = findSend(aggregate, deliveryId);
  if (send) commitStep(aggregate, send, report(send, attempt, outcome, Date.now(), Math.random()));
}

/**
 * The provider's word, by its status callback. Whatever it says, it has the message, which is what `sent` means:
 * the lane is free, and an attempt that ended without an answer needs no repeat.
 */
export function receipt(aggregate: ConversationAggregate, deliveryId: string, news: DeliveryNews): boolean {
  const message = aggregate.store.record() && aggregate.store.messageOfDelivery(deliveryId);
  if (!message) return false;
  const send = findSend(aggregate, deliveryId);
  const begun = send !== undefined && send.attempt > 0;
  const told = { ...news, ...sentAtOf(send), status: joinStatus(news.status, 'sent') };
  commitNews(aggregate, message, deliveryId, told, () => begun && aggregate.store.dropSend(deliveryId));
  return true;
}

/** A message that is deleted before anybody took it is not sent. */
export function cancelSends(aggregate: ConversationAggregate, message: Message): void {
  const ids = new Set(message.deliveries.map(({ id }) => id));
  for (const send of aggregate.store.sends()) {
    if (ids.has(send.deliveryId) && send.phase !== 'claimed') aggregate.store.dropSend(send.deliveryId);
  }
}

/** What a step of the send machine leaves, in one commit: the send itself, and the delivery's news. */
export function commitStep(aggregate: ConversationAggregate, send: Send, step: SendStep): void {
  if (step.send === send && !step.news) return;
  const message = aggregate.store.message(send.messageId);
  const withdrawn = step.send?.withdrawn ?? null;
  // A message that was deleted during an attempt has nothing left for another one.
  const next = message?.deletedAt === null && !withdrawn ? step.send : null;
  const keep = () => (next ? aggregate.store.saveSend(next) : aggregate.store.dropSend(send.deliveryId));
  const news: DeliveryNews | null = withdrawn ? { ...step.news, status: 'failed', error: withdrawn } : step.news;
  if (!message || !news) return aggregate.storage.transactionSync(keep);
  commitNews(aggregate, message, send.deliveryId, { ...news, ...sentAtOf(send) }, keep);
}

const sentAtOf = (send: Send | undefined): Pick<DeliveryNews, 'sentAt'> =>
  send?.claimedAt === undefined ? {} : { sentAt: microsOf(send.claimedAt) };

function commitNews(
  aggregate: ConversationAggregate,
  message: Message,
  deliveryId: string,
  news: DeliveryNews,
  rows: () => void,
): void {
  const at = aggregate.now();
  const record = aggregate.store.record();
  const told = decideDeliveryNews(message, deliveryId, reached(record, message, deliveryId, news), at);
  // What is told again says nothing new of the contact either.
  if (!record || told.length === 0) return aggregate.commit(told, at, { rows });
  const consentAt = (name: string) => record.consents[name]?.at ?? 0;
  const signal = decideProviderSignal(record.conversation, message, deliveryId, news, consentAt, at);
  const { createdAt } = message;
  const heard = { at: createdAt, untold: { optOut: true, at: createdAt } };
  const consent = signal.optedOut ? withConsent(aggregate, signal.addressName, heard) : {};
  const others = signal.optedOut ? [] : fallbackEvents(aggregate, signal.events, told, deliveryId, at);
  const ended = unneeded(aggregate, told, at);
  const allRows = () => {
    rows();
    ended.drop();
  };
  aggregate.commit([...told, ...ended.events, ...signal.events, ...others], at, { ...consent, rows: allRows });
}

/** What waits to go another way, where this news says that it need not. */
function unneeded(aggregate: ConversationAggregate, told: NewConversationEvent[], at: Micros) {
  const [event] = told;
  const message = event?.type === 'message.updated' ? event.message : null;
  const waiting = aggregate.store.sends().flatMap(({ phase, deliveryId }) => (phase === 'claimed' ? [] : [deliveryId]));
  const id = message && unneededIn(message, waiting);
  if (!message || id === null) return { events: [], drop: () => undefined };
  const events = decideDeliveryNews(message, id, { status: 'failed', error: NOT_NEEDED }, at);
  return { events, drop: () => aggregate.store.dropSend(id) };
}

/** What failed for good goes by the next way that would do, if the account wants it so. */
function fallbackEvents(
  aggregate: ConversationAggregate,
  before: NewConversationEvent[],
  told: NewConversationEvent[],
  deliveryId: string,
  at: Micros,
): NewConversationEvent[] {
  const event = told.find((each) => each.type === 'message.updated');
  const state = stateAfter(before) ?? aggregate.store.record()?.conversation;
  if (!state || event?.type !== 'message.updated') return [];
  const failed = event.message.deliveries.find(({ id }) => id === deliveryId);
  if (failed?.status !== 'failed' || WITHDRAWN.has(failed.error?.code ?? '')) return [];
  const fallbackOptions = aggregate.store.fallbackOptions(deliveryId);
  return decideFallback(state, event.message, { deliveryId, fallbackOptions, newId: crypto.randomUUID() }, at);
}

const stateAfter = (events: NewConversationEvent[]) =>
  events.flatMap((event) => ('conversation' in event ? [event.conversation] : [])).at(-1);

/** What was not to be sent at all (fencing.ts). */
const WITHDRAWN = new Set(['CONTACT_OPTED_OUT', 'MODE_CHANGED', 'ACTIVEFLOW_STOPPED']);

/** Answers that no visitor was seen to get go by e-mail, where one is known. */
export function runPendingFallbacks(aggregate: ConversationAggregate, now: Millis): void {
  const pending = aggregate.store.record()?.pending;
  const due = pending?.unseen.filter(({ dueAt }) => dueAt <= now) ?? [];
  if (!pending || due.length === 0) return;
  aggregate.savePending({ ...pending, unseen: pending.unseen.filter((each) => !due.includes(each)) });
  for (const { messageId, deliveryId } of due) followOne(aggregate, messageId, deliveryId);
}

function followOne(aggregate: ConversationAggregate, messageId: string, deliveryId: string): void {
  const state = aggregate.store.record()?.conversation;
  const message = aggregate.store.message(messageId);
  const isUnseen = message?.deliveries.some(({ id, status }) => id === deliveryId && status === 'sent');
  const fallbackOptions = aggregate.store.fallbackOptions(deliveryId);
  const at = aggregate.now();
  if (!state || state.deletedAt !== null || !message || !isUnseen) return;
  const events = decideFallback(state, message, { deliveryId, fallbackOptions, newId: crypto.randomUUID() }, at);
  aggregate.commit(events, at, { rows: () => aggregate.store.dropFallbackOptions(deliveryId) });
}

/** Its news may have come before that of the sending: a horizon beyond it says more. */
function reached(
  record: ConversationRecord | null,
  message: Message,
  deliveryId: string,
  news: DeliveryNews,
): DeliveryNews {
  const name = message.deliveries.find(({ id }) => id === deliveryId)?.addressName ?? '';
  const watermark = record?.horizons[name];
  if (news.status !== 'sent' || news.sentAt === undefined || !watermark) return news;
  return { ...news, status: reachedBy(watermark, news.sentAt) };
}
