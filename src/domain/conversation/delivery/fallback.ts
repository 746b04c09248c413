import { reasonAgainst, type Way } from './channel-choice.ts';
import { isFencedOut } from '../decide-change.ts';
import type { NewConversationEvent } from '../events.ts';
import { bringUp, findLink, linksOf, withLink, type Link } from '../identity/bindings.ts';
import { isLive, newDelivery } from '../new-message.ts';
import { holderOf, isReleased } from '../identity/participants.ts';
import { becameDone } from './progress.ts';
import type { ConversationState, Delivery, Message } from '../state.ts';
import type { DeliveryStatus } from './delivery-status.ts';
import type { Micros } from '../../time.ts';

/** By delivery: the ways that may be tried instead, the best first. */
export type Spares = Record<string, Way[]>;

/**
 * What may follow a delivery by that way: on request of its account, or where a visitor may have left, who gets the answer by e-mail
 * (spec section 11).
 */
export function sparesOf(way: Way, others: Way[]): Way[] {
  if (isLive(way.link.type)) return others.filter(({ link }) => link.type === 'email');
  return way.fallsBack ? others : [];
}

/** The same for what goes by the way used last, without a choice: the e-mail addresses that are known of the visitor. */
export function knownSpares(state: ConversationState): Way[] {
  if (!isLive(state.type)) return [];
  const holder = holderOf(state, state.peer);
  const theirs = [...(holder?.addresses ?? []), ...(holder?.unverified ?? [])];
  const isTheirs = ({ type, peer }: Link): boolean =>
    type === 'email' && theirs.some((one) => one.type === 'email' && one.target === peer.target);
  return linksOf(state)
    .filter(isTheirs)
    .map((link) => ({ link, obstacle: null, segments: null, fallsBack: false }));
}

/** The message goes another way, with what may follow that in turn; no event where nothing may. */
export function decideFallback(
  state: ConversationState,
  message: Message,
  { deliveryId, spares, newId }: { deliveryId: string; spares: Way[]; newId: string },
  at: Micros,
): NewConversationEvent[] {
  if (message.deletedAt !== null || isFencedOut(state, message.fence)) return [];
  const wish = { channel: '', isHuman: message.sender.type === 'agent' };
  // As the way is now: since it was put in reserve the contact may have opted out of it, or written by it.
  const known = spares.map((way) => ({ ...way, link: findLink(state, way.link.addressName) ?? way.link }));
  const index = known.findIndex((way) => maySend(state, way) && reasonAgainst(state, way, wish, at) === null);
  const way = known[index];
  if (!way) return [];
  const learnt = withLink(state, way.link);
  const delivery = { ...newDelivery(bringUp(learnt, way.link), newId, way.segments, at), fallbackFor: deliveryId };
  const deliveries = [...message.deliveries, delivery];
  const updated: NewConversationEvent = {
    type: 'message.updated',
    message: { ...message, deliveries, updatedAt: at },
    becameDone: becameDone(message.deliveries, deliveries),
    spares: { [newId]: spares.slice(index + 1) },
  };
  const told: NewConversationEvent = { type: 'conversation.updated', conversation: learnt, change: null };
  return learnt === state ? [updated] : [told, updated];
}

/** Which of the deliveries that still wait to go another way is not needed: the one before has got there after all. */
export const unneededIn = ({ deliveries }: Message, waiting: readonly string[]): string | null =>
  deliveries.find((each) => waiting.includes(each.id) && gotThereBefore(each, deliveries))?.id ?? null;

/** The error with which it ends. */
export const NOT_NEEDED = { code: 'NOT_NEEDED', text: 'it had reached the contact by the way before' };

function gotThereBefore({ fallbackFor }: Delivery, all: readonly Delivery[]): boolean {
  const before = all.find(({ id }) => id === fallbackFor);
  return before !== undefined && (ARRIVED.includes(before.status) || gotThereBefore(before, all));
}

const ARRIVED: DeliveryStatus[] = ['delivered', 'read'];

const maySend = (state: ConversationState, { link }: Way): boolean => link.reachable && !isReleased(state, link.peer);

/** A visitor's answer, as long as the visitor has not been seen to get it. */
export interface Unseen {
  messageId: string;
  deliveryId: string;
  dueAt: number;
}

/** As long as somebody takes to come back to the page. Milliseconds. */
export const UNSEEN_MS = 60_000;

/** The answers that these events leave for visitors who may have left. */
export const unseenIn = (events: NewConversationEvent[], now: number): Unseen[] =>
  events.flatMap((event) => {
    if (event.type !== 'message.created' || !event.spares) return [];
    const { spares, message } = event;
    return message.deliveries
      .filter(({ id, channel }) => isLive(channel) && (spares[id]?.length ?? 0) > 0)
      .map(({ id }) => ({ messageId: message.id, deliveryId: id, dueAt: now + UNSEEN_MS }));
  });

export const nextUnseenAt = (unseen: Unseen[]): number | null =>
  unseen.length === 0 ? null : Math.min(...unseen.map(({ dueAt }) => dueAt));
