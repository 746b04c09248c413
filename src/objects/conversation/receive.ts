import { withConsent } from './consent.ts';
import { isForgotten, readTombstone } from './erase.ts';
import type { ConversationAggregate } from './aggregate.ts';
import { startAutomation } from '../../domain/conversation/automation/automation.ts';
import type { InboundItem, Opening, ReceiveCommand } from '../../domain/conversation/commands.ts';
import { consentIn } from '../../domain/conversation/consent.ts';
import { moved, NO_WATERMARK } from '../../domain/conversation/delivery/watermark.ts';
import { decideReceive } from '../../domain/conversation/decide-inbound.ts';
import type { Message } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import { isMessageEvent, type ConversationEvent } from '../../domain/conversation/events.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { Micros } from '../../domain/time.ts';
import { sha256Hex } from '../../security/encoding.ts';

/** What an inbound item became. A repeat names what the first one made; an item that made no message has an empty id. */
export interface Received {
  conversationId: string;
  messageId: string;
  duplicate: boolean;
}

const keyOf = (providerKey: string): string => `in:${providerKey}`;

/** The same also of one that is erased, by the hashes that it left. */
export async function knewKey(aggregate: ConversationAggregate, providerKey: string): Promise<boolean> {
  const tombstone = aggregate.store.record() === null ? readTombstone(aggregate.storage) : null;
  return tombstone ? tombstone.keys.includes(await sha256Hex(keyOf(providerKey))) : knowsKey(aggregate, providerKey);
}

export const knowsKey = (aggregate: ConversationAggregate, providerKey: string): boolean =>
  aggregate.store.keys.used(keyOf(providerKey), Date.now()) !== null;

/** What an erased conversation had is not to begin anew. */
export async function redelivered(
  aggregate: ConversationAggregate,
  { opening, item }: ReceiveCommand,
): Promise<Received | null> {
  if (!aggregate.isErased() || !(await knewKey(aggregate, item.dedupeKey))) return null;
  return { conversationId: opening.conversationId, messageId: '', duplicate: true };
}

const takesNothing = (aggregate: ConversationAggregate, opening: Opening): boolean =>
  aggregate.isErased() || isForgotten(aggregate, opening);

/** Takes an item once: the provider's key, the message and what it sets in motion are one commit. */
export function receive(aggregate: ConversationAggregate, command: ReceiveCommand): Result<Received, Refusal> {
  const { opening, item, settings, automation } = command;
  const { conversationId } = opening;
  const known = aggregate.store.keys.used(keyOf(item.dedupeKey), Date.now());
  if (known) return ok({ conversationId, messageId: known.messageId, duplicate: true });
  if (takesNothing(aggregate, opening)) return err({ code: 'CONVERSATION_CLOSED' });
  const state = aggregate.store.record()?.conversation ?? null;
  const at = aggregate.now();
  const decided = decideReceive(state, opening, item, targetsOf(aggregate, item), at);
  if (!decided.ok) return decided;
  const messageId = 'messageId' in item ? item.messageId : '';
  const replyToken = 'replyToken' in item ? item.replyToken : null;
  aggregate.commit(decided.value, at, {
    settings: { ...settings, publicUrl: settings.publicUrl || (aggregate.store.record()?.settings.publicUrl ?? '') },
    ...(replyToken ? { replyToken: { ...replyToken, addressName: opening.addressName } } : {}),
    ...heardConsent(aggregate, item, opening, at),
    ...seenWatermark(aggregate, item, opening),
    pending: (pending, after, placed) =>
      toAnswer(item, placed).reduce(
        (rest, message) => startAutomation(rest, after, message, automation, Date.now()),
        pending,
      ),
    rows: () => {
      for (const key of keysOf(aggregate, item))
        aggregate.store.keys.save(keyOf(key), { messageId, fingerprint: '' }, null);
    },
  });
  return ok({ conversationId, messageId, duplicate: false });
}

/** A word about consent is told on even where it changes nothing here: another conversation may know it otherwise. */
function heardConsent(aggregate: ConversationAggregate, item: InboundItem, { peer, addressName }: Opening, at: Micros) {
  const optOut = item.kind === 'message' ? consentIn(item, peer) : null;
  return optOut === null ? {} : withConsent(aggregate, addressName, { at, untold: { optOut, at } });
}

function seenWatermark(aggregate: ConversationAggregate, item: InboundItem, { addressName }: Opening) {
  if (item.kind !== 'watermark') return {};
  const horizons = aggregate.store.record()?.horizons ?? {};
  const watermark = moved(horizons[addressName] ?? NO_WATERMARK, item.status, item.until);
  return { horizons: { ...horizons, [addressName]: watermark } };
}

/** The message of a contact that automation may answer, if these events brought one: an echo is none. */
function toAnswer(item: InboundItem, placed: ConversationEvent[]): Message[] {
  if (item.kind !== 'message' || item.isAnswerable === false) return [];
  return placed.flatMap((event) => (isMessageEvent(event) && event.type === 'message.created' ? [event.message] : []));
}

/**
 * The keys that are used up: the item's own and, where a message was taken back before it came, that message's.
 * Providers keep no order, and what a contact has taken back must not be shown when it arrives at last.
 */
const keysOf = (aggregate: ConversationAggregate, item: InboundItem): string[] => {
  // Said again it changes nothing, and every reading contact says it often.
  if (item.kind === 'watermark') return [];
  const isEarly = item.kind === 'redaction' && !knowsKey(aggregate, item.targetKey);
  return isEarly ? [item.dedupeKey, item.targetKey] : [item.dedupeKey];
};

/** As many messages as one horizon moves: older ones were moved by the one before. */
const MOST_MOVED = 100;

function targetsOf(aggregate: ConversationAggregate, item: InboundItem): Message[] {
  if (item.kind === 'watermark') return aggregate.store.sentUntil(item.until, MOST_MOVED);
  if (item.kind !== 'redaction') return [];
  const known = aggregate.store.keys.used(keyOf(item.targetKey), Date.now());
  const target = known && aggregate.store.message(known.messageId);
  return target ? [target] : [];
}
