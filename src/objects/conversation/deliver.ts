import { withConsent } from './consent.ts';
import type { Room } from './aggregate.ts';
import type { Address } from '../../domain/addresses.ts';
import type { DeliveryNews } from '../../domain/conversation/commands.ts';
import type { NewConversationEvent } from '../../domain/conversation/events.ts';
import { decideFallback, NOT_NEEDED, unneededIn } from '../../domain/conversation/delivery/fallback.ts';
import { decideDeliveryNews } from '../../domain/conversation/decide-message.ts';
import { decideVerdict } from '../../domain/conversation/delivery/provider-signal.ts';
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
import { findLink, linkAtTop, type Link } from '../../domain/conversation/identity/bindings.ts';
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

const findSend = (room: Room, deliveryId: string) => room.store.sends().find((send) => send.deliveryId === deliveryId);

/** Leases one attempt to the consumer; null when the job is a repeat, stale, or out of turn. */
export function claimSend(room: Room, deliveryId: string, attempt: number, policy: SendPolicy): SendOrder | null {
  const record = room.store.record();
  const sends = room.store.sends();
  const send = sends.find((candidate) => candidate.deliveryId === deliveryId);
  const message = send && room.store.message(send.messageId);
  const delivery = message?.deliveries.find(({ id }) => id === deliveryId);
  if (!record || !send || !message || !delivery) return null;
  const link = findLink(record.conversation, delivery.addressName) ?? linkAtTop(record.conversation);
  const token = usableToken(record.replyToken, link, Date.now());
  const isHead = heads(sends).some((head) => head.deliveryId === deliveryId);
  const claimed = claim(send, isHead, attempt, token === null ? policy : REPLY_POLICY, Date.now());
  if (!claimed) return null;
  room.storage.transactionSync(() => {
    room.store.saveSend(claimed);
    if (token !== null) room.store.saveRecord({ ...record, replyToken: null });
  });
  return orderOf(room, message, delivery, link, token);
}

function orderOf(room: Room, message: Message, delivery: Delivery, link: Link, replyToken: string | null): SendOrder {
  const { window, addressName } = link;
  return {
    message,
    deliveryId: delivery.id,
    to: delivery.target,
    from: link.self,
    replyToken,
    publicUrl: room.store.record()?.settings.publicUrl ?? '',
    isAfterWindow: window !== null && room.now() >= window.until,
    askConsentOf: link.heardAt === 0 ? addressName || null : null,
    thread: link.type === 'email' ? threadAt(room, message, addressName) : null,
  };
}

function threadAt(room: Room, message: Message, addressName: string): MailThread {
  const earlier = room.store.messagesUnder(message.sequence, THREAD_MESSAGES);
  return threadOf(message, earlier, addressName, room.store.record()?.conversation.name ?? '');
}

/** It answers by the way on which it came. */
const usableToken = (stored: ConversationRecord['replyToken'], link: Link, now: Millis): string | null =>
  stored && stored.expiresAt > now && (stored.addressName ?? link.addressName) === link.addressName
    ? stored.token
    : null;

/** The consumer's word on one attempt. */
export function reportSend(room: Room, deliveryId: string, attempt: number, outcome: SendOutcome): void {
  const send = findSend(room, deliveryId);
  if (send) commitStep(room, send, report(send, attempt, outcome, Date.now(), Math.random()));
}

/**
 * The provider's word, by its status callback. Whatever it says, it has the message, which is what `sent` means:
 * the lane is free, and an attempt that ended without an answer needs no repeat.
 */
export function receipt(room: Room, deliveryId: string, news: DeliveryNews): boolean {
  const message = room.store.record() && room.store.messageOfDelivery(deliveryId);
  if (!message) return false;
  const send = findSend(room, deliveryId);
  const begun = send !== undefined && send.attempt > 0;
  const told = { ...news, ...sentAtOf(send), status: joinStatus(news.status, 'sent') };
  commitNews(room, message, deliveryId, told, () => begun && room.store.dropSend(deliveryId));
  return true;
}

/** A message that is deleted before anybody took it is not sent. */
export function cancelSends(room: Room, message: Message): void {
  const ids = new Set(message.deliveries.map(({ id }) => id));
  for (const send of room.store.sends()) {
    if (ids.has(send.deliveryId) && send.phase !== 'claimed') room.store.dropSend(send.deliveryId);
  }
}

/** What a step of the send machine leaves, in one commit: the send itself, and the delivery's news. */
export function commitStep(room: Room, send: Send, step: SendStep): void {
  if (step.send === send && !step.news) return;
  const message = room.store.message(send.messageId);
  const withdrawn = step.send?.withdrawn ?? null;
  // A message that was deleted during an attempt has nothing left for another one.
  const next = message?.deletedAt === null && !withdrawn ? step.send : null;
  const keep = () => (next ? room.store.saveSend(next) : room.store.dropSend(send.deliveryId));
  const news: DeliveryNews | null = withdrawn ? { ...step.news, status: 'failed', error: withdrawn } : step.news;
  if (!message || !news) return room.storage.transactionSync(keep);
  commitNews(room, message, send.deliveryId, { ...news, ...sentAtOf(send) }, keep);
}

const sentAtOf = (send: Send | undefined): Pick<DeliveryNews, 'sentAt'> =>
  send?.claimedAt === undefined ? {} : { sentAt: microsOf(send.claimedAt) };

function commitNews(room: Room, message: Message, deliveryId: string, news: DeliveryNews, rows: () => void): void {
  const at = room.now();
  const record = room.store.record();
  const told = decideDeliveryNews(message, deliveryId, reached(record, message, deliveryId, news), at);
  // What is told again says nothing new of the contact either.
  if (!record || told.length === 0) return room.commit(told, at, { rows });
  const consentAt = (name: string) => record.consents[name]?.at ?? 0;
  const verdict = decideVerdict(record.conversation, message, deliveryId, news, consentAt, at);
  const { createdAt } = message;
  const heard = { at: createdAt, untold: { optOut: true, at: createdAt } };
  const consent = verdict.optedOut ? withConsent(room, verdict.addressName, heard) : {};
  const others = verdict.optedOut ? [] : goneOtherWay(room, verdict.events, told, deliveryId, at);
  const ended = unneeded(room, told, at);
  const allRows = () => {
    rows();
    ended.drop();
  };
  room.commit([...told, ...ended.events, ...verdict.events, ...others], at, { ...consent, rows: allRows });
}

/** What waits to go another way, where this news says that it need not. */
function unneeded(room: Room, told: NewConversationEvent[], at: Micros) {
  const [event] = told;
  const message = event?.type === 'message.updated' ? event.message : null;
  const waiting = room.store.sends().flatMap(({ phase, deliveryId }) => (phase === 'claimed' ? [] : [deliveryId]));
  const id = message && unneededIn(message, waiting);
  if (!message || id === null) return { events: [], drop: () => undefined };
  const events = decideDeliveryNews(message, id, { status: 'failed', error: NOT_NEEDED }, at);
  return { events, drop: () => room.store.dropSend(id) };
}

/** What failed for good goes by the next way that would do, if the account wants it so. */
function goneOtherWay(
  room: Room,
  before: NewConversationEvent[],
  told: NewConversationEvent[],
  deliveryId: string,
  at: Micros,
): NewConversationEvent[] {
  const event = told.find((each) => each.type === 'message.updated');
  const state = stateAfter(before) ?? room.store.record()?.conversation;
  if (!state || event?.type !== 'message.updated') return [];
  const failed = event.message.deliveries.find(({ id }) => id === deliveryId);
  if (failed?.status !== 'failed' || WITHDRAWN.has(failed.error?.code ?? '')) return [];
  const spares = room.store.spares(deliveryId);
  return decideFallback(state, event.message, { deliveryId, spares, newId: crypto.randomUUID() }, at);
}

const stateAfter = (events: NewConversationEvent[]) =>
  events.flatMap((event) => ('conversation' in event ? [event.conversation] : [])).at(-1);

/** What was not to be sent at all (fencing.ts). */
const WITHDRAWN = new Set(['CONTACT_OPTED_OUT', 'MODE_CHANGED', 'ACTIVEFLOW_STOPPED']);

/** Answers that no visitor was seen to get go by e-mail, where one is known. */
export function followUnseen(room: Room, now: Millis): void {
  const pending = room.store.record()?.pending;
  const due = pending?.unseen.filter(({ dueAt }) => dueAt <= now) ?? [];
  if (!pending || due.length === 0) return;
  room.savePending({ ...pending, unseen: pending.unseen.filter((each) => !due.includes(each)) });
  for (const { messageId, deliveryId } of due) followOne(room, messageId, deliveryId);
}

function followOne(room: Room, messageId: string, deliveryId: string): void {
  const state = room.store.record()?.conversation;
  const message = room.store.message(messageId);
  const isUnseen = message?.deliveries.some(({ id, status }) => id === deliveryId && status === 'sent');
  const spares = room.store.spares(deliveryId);
  const at = room.now();
  if (!state || state.deletedAt !== null || !message || !isUnseen) return;
  const events = decideFallback(state, message, { deliveryId, spares, newId: crypto.randomUUID() }, at);
  room.commit(events, at, { rows: () => room.store.dropSpares(deliveryId) });
}

/** Its news may have come before that of the sending: a horizon beyond it says more. */
function reached(
  record: ConversationRecord | null,
  message: Message,
  deliveryId: string,
  news: DeliveryNews,
): DeliveryNews {
  const name = message.deliveries.find(({ id }) => id === deliveryId)?.addressName ?? '';
  const horizon = record?.horizons[name];
  if (news.status !== 'sent' || news.sentAt === undefined || !horizon) return news;
  return { ...news, status: reachedBy(horizon, news.sentAt) };
}
