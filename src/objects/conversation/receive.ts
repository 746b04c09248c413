import type { ConversationAggregate } from './aggregate.ts';
import { isErasedFrom } from './erase.ts';
import { Outbox } from '../runtime/drains.ts';
import { callObject, getConversation } from '../stubs.ts';
import type { InboundItem, Opening, ReceiveCommand } from '../../domain/conversation/commands.ts';
import { consentIn, type Consent } from '../../domain/conversation/consent.ts';
import { decideReceive } from '../../domain/conversation/decide-inbound.ts';
import { moved, NO_WATERMARK } from '../../domain/conversation/delivery/watermark.ts';
import type { Message } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { microsOf, MINUTE, type Micros } from '../../domain/time.ts';
import { sha256Hex } from '../../security/encoding.ts';

/** What an inbound item became. A repeat names what the first one made; an item that made no message has an empty id. */
export interface Received {
  conversationId: string;
  messageId: string;
  duplicate: boolean;
}

const keyOf = (providerKey: string): string => `in:${providerKey}`;

const usedKey = (aggregate: ConversationAggregate, providerKey: string) =>
  aggregate.stored.keys.used(keyOf(providerKey), Date.now());

/** Whether this provider id came in here. An erased conversation still knows it by the hashes that it left. */
export async function hasReceived(aggregate: ConversationAggregate, providerKey: string): Promise<boolean> {
  const { tombstone } = aggregate;
  return tombstone
    ? tombstone.keys.includes(await sha256Hex(keyOf(providerKey)))
    : usedKey(aggregate, providerKey) !== null;
}

/** A redelivery of what an erased conversation had received: it must not start another one. Null for everything else. */
export async function redelivered(
  aggregate: ConversationAggregate,
  { opening, item }: ReceiveCommand,
): Promise<Received | null> {
  if (!aggregate.isErased() || !(await hasReceived(aggregate, item.dedupeKey))) return null;
  return { conversationId: opening.conversationId, messageId: '', duplicate: true };
}

/** Receives an item once: the provider's key, the message and what it sets in motion are one commit. */
export function receive(aggregate: ConversationAggregate, command: ReceiveCommand): Result<Received, Refusal> {
  const { opening, item, automation } = command;
  const { conversationId } = opening;
  const known = usedKey(aggregate, item.dedupeKey);
  if (known) return ok({ conversationId, messageId: known.messageId, duplicate: true });
  if (aggregate.isErased() || isErasedFrom(aggregate, opening)) return err({ code: 'CONVERSATION_CLOSED' });

  const at = aggregate.now();
  const decided = decideReceive(aggregate.conversation, opening, item, targetsOf(aggregate, item), at);
  if (!decided.ok) return decided;

  const messageId = 'messageId' in item ? item.messageId : '';
  const used = { messageId, fingerprint: '', expiresAt: null };
  aggregate.commit({
    at,
    events: decided.value,
    ...(isAnswerable(item) ? { answeredBy: automation } : {}),
    record: learnedFrom(aggregate, command, at),
    keys: keysOf(aggregate, item).map((key) => ({ key: keyOf(key), ...used })),
  });
  return ok({ conversationId, messageId, duplicate: false });
}

/** Automation answers what a contact wrote, and no echo of our own words. */
const isAnswerable = (item: InboundItem): boolean => item.kind === 'message' && item.isAnswerable !== false;

/** What an item says beside its events: present settings, a reply token, the contact's consent, how far it has read. */
function learnedFrom(aggregate: ConversationAggregate, { opening, item, settings }: ReceiveCommand, at: Micros) {
  const { addressName } = opening;
  const replyToken = 'replyToken' in item ? item.replyToken : null;
  return {
    // A mail brings no URL, and the one that is known stays.
    settings: { ...settings, publicUrl: settings.publicUrl || (aggregate.record?.settings.publicUrl ?? '') },
    ...(replyToken ? { replyToken: { ...replyToken, addressName } } : {}),
    ...consentsAfter(aggregate, item, opening, at),
    ...watermarksAfter(aggregate, item, addressName),
  };
}

/** A word about consent is published even where it changes nothing here: another conversation may know otherwise. */
function consentsAfter(
  aggregate: ConversationAggregate,
  item: InboundItem,
  { peer, addressName }: Opening,
  at: Micros,
) {
  const optOut = item.kind === 'message' ? consentIn(item, peer) : null;
  if (optOut === null) return {};
  return { consents: { ...aggregate.record?.consents, [addressName]: { at, unpublished: { optOut, at } } } };
}

function watermarksAfter(aggregate: ConversationAggregate, item: InboundItem, addressName: string) {
  if (item.kind !== 'watermark') return {};
  const { watermarks = {} } = aggregate.record ?? {};
  const watermark = moved(watermarks[addressName] ?? NO_WATERMARK, item.status, item.until);
  return { watermarks: { ...watermarks, [addressName]: watermark } };
}

/**
 * The keys that are used up: the item's own and, where a message was taken back before it came, that message's.
 * Providers keep no order, and what a contact has taken back must not be shown when it arrives at last.
 */
function keysOf(aggregate: ConversationAggregate, item: InboundItem): string[] {
  // A repeated watermark changes nothing, and a reading contact sends many.
  if (item.kind === 'watermark') return [];
  const isEarly = item.kind === 'redaction' && !usedKey(aggregate, item.targetKey);
  return isEarly ? [item.dedupeKey, item.targetKey] : [item.dedupeKey];
}

/** The most messages that one watermark moves: earlier watermarks have moved the older ones. */
const MOVED_LIMIT = 100;

/** The messages that a redaction or a watermark is about. */
function targetsOf(aggregate: ConversationAggregate, item: InboundItem): Message[] {
  if (item.kind === 'watermark') return aggregate.stored.sentUntil(item.until, MOVED_LIMIT);
  if (item.kind !== 'redaction') return [];
  const known = usedKey(aggregate, item.targetKey);
  const target = known && aggregate.stored.message(known.messageId);
  return target ? [target] : [];
}

/** A conversation whose first message is on its way is made within this time, or never. */
const BEING_MADE_MS = MINUTE;

/** Publishes the contact's consent: to the AddressObject, so that the next conversation begins with it, and to its other conversations. */
export const consentOutbox = (env: Env, aggregate: ConversationAggregate): Outbox =>
  new Outbox(
    'consent',
    () => nextUnpublished(aggregate) !== null,
    async () => {
      const { conversation } = aggregate;
      const [addressName, consent] = nextUnpublished(aggregate) ?? [];
      if (!conversation || addressName === undefined || !consent) return;
      const stub = () => env.ADDRESS.getByName(addressName);
      const { current, predecessor } = await callObject(() => stub().noteConsent(consent));
      const { id, customerId } = conversation;
      const inform = (other: string) =>
        callObject(() => getConversation(env, other).learnConsent(customerId, addressName, consent));
      if (predecessor !== null && predecessor !== id) await inform(predecessor);
      if (current !== null && current !== id && !(await inform(current)).ok && isFresh(consent)) {
        throw new Error('the conversation that must know does not exist yet');
      }
      markPublished(aggregate, addressName, consent);
    },
  );

const isFresh = ({ at }: Consent): boolean => at > microsOf(Date.now() - BEING_MADE_MS);

function nextUnpublished(aggregate: ConversationAggregate): [string, Consent] | null {
  for (const [addressName, { unpublished }] of Object.entries(aggregate.record?.consents ?? {}))
    // An erasure may leave a binding without a name, and then there is nobody to tell.
    if (addressName !== '' && unpublished) return [addressName, unpublished];
  return null;
}

/** Unless the contact has changed its mind in the meantime. */
function markPublished(aggregate: ConversationAggregate, addressName: string, published: Consent): void {
  const consents = aggregate.record?.consents ?? {};
  const known = consents[addressName];
  if (known?.unpublished?.at !== published.at) return;
  aggregate.commit({ record: { consents: { ...consents, [addressName]: { ...known, unpublished: null } } } });
}
