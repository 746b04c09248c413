import { createHash } from 'node:crypto';
import type { ConversationAggregate, Decision } from './aggregate.ts';
import type { ConversationRecord, ErasedParts } from './store.ts';
import type { Opening } from '../../domain/conversation/commands.ts';
import type { FallbackOptions, ContactAddress, Person, ChannelBinding } from '../../domain/conversation/state.ts';
import { isMessageEvent, fromLogRow } from '../../domain/conversation/events.ts';
import { bindingsOf } from '../../domain/conversation/identity/bindings.ts';
import { isErased } from '../../domain/conversation/identity/participants.ts';

import {
  goneFrom,
  isAlone,
  lostDeliveries,
  scrubMessage,
  scrubRow,
  scrubState,
  targetIsGone,
  withoutMessages,
  type Gone,
} from '../../domain/conversation/identity/scrub.ts';
import { storedIn } from '../../domain/content.ts';
import type { Message } from '../../domain/conversation/state.ts';

/** What an erasure has taken out of a conversation, by ids alone. */
export interface Erased extends ErasedParts {
  /** The conversation is gone, not only some of its people. */
  isWhole: boolean;
}

/** Whom an erasure is about. */
export interface ToErase {
  customerId: string;
  contactIds: string[];
  /** All of their addresses, in this conversation or elsewhere. */
  addresses: ContactAddress[];
  /** How far D1 has the log: webhooks have heard of that. */
  announcedUntil: number;
}

const NOTHING: ErasedParts = { addressNames: [], messageIds: [], uploads: [] };

/**
 * Takes a contact out of a conversation: as a whole where nobody else is in it. Idempotent: repeated, it returns the same. Null where
 * the conversation is another customer's. Where lists know one that has nothing, an erasure broke off before its tombstone was written.
 */
export function erase(aggregate: ConversationAggregate, wanted: ToErase): Erased | null {
  const { tombstone, record } = aggregate;
  if (tombstone) return tombstone.customerId === wanted.customerId ? { isWhole: true, ...tombstone } : null;
  if (!record) return bury(aggregate, wanted.customerId, []);
  const state = record.conversation;
  if (state.customerId !== wanted.customerId) return null;
  const past = pastOf(aggregate);
  const gone = goneFrom(state, wanted.contactIds, wanted.addresses, past.left);
  const bindings = [...bindingsOf(state), ...past.bindings];
  if (isAlone(state, gone)) return bury(aggregate, wanted.customerId, bindings);
  return scrub(aggregate, record, gone, bindings, wanted.announcedUntil);
}

/** Outside the object nothing is left either. */
export function endErasure(aggregate: ConversationAggregate): void {
  if (aggregate.unfinishedErasure) aggregate.commit({ unfinishedErasure: null });
}

/** The contact was erased from here, and nobody has brought it in again: what arrives from there begins another conversation. */
export const isErasedFrom = ({ record }: ConversationAggregate, opening: Opening): boolean =>
  record !== null && isErased(record.conversation, opening);

/** Who has left the conversation, and every binding that it ever had. */
function pastOf(aggregate: ConversationAggregate): { left: Person[]; bindings: ChannelBinding[] } {
  const rows = aggregate.log.after(0, Number.MAX_SAFE_INTEGER).filter(({ messageId }) => messageId === null);
  const events = rows.map((row) => fromLogRow(row, null));
  return {
    left: events.flatMap((event) =>
      !isMessageEvent(event) && event.type === 'conversation.participant_removed' && event.participant
        ? [event.participant]
        : [],
    ),
    bindings: events.flatMap((event) => (isMessageEvent(event) ? [] : bindingsOf(event.conversation))),
  };
}

/** What goes: of a whole conversation (`gone` null) that is everything. */
function partsOf(messages: Message[], gone: Gone | null, bindings: ChannelBinding[]): ErasedParts {
  const erased = gone === null ? messages : messages.filter((each) => isScrubbed(each, gone));
  const kept = uploadsIn(messages.filter((each) => !erased.includes(each)));
  const theirs = bindings.filter(({ peer }) => gone === null || targetIsGone(gone, peer.target));
  return {
    addressNames: [...new Set(theirs.map(({ addressName }) => addressName))].filter((name) => name !== ''),
    messageIds: erased.map(({ id }) => id),
    uploads: uploadsIn(erased).filter((id) => !kept.includes(id)),
  };
}

const uploadsIn = (messages: Message[]): string[] =>
  messages.flatMap(({ medias }) => medias.flatMap(({ providerRef }) => storedIn(providerRef) ?? []));

const isScrubbed = (message: Message, gone: Gone): boolean =>
  message.deletedAt === null && scrubMessage(message, gone, 1).deletedAt !== null;

const hashed = (key: string): string => createHash('sha256').update(key).digest('hex');

/** Only hashes and ids are left, so that neither a redelivery nor a rebuild brings anything back. */
function bury(aggregate: ConversationAggregate, customerId: string, bindings: ChannelBinding[]): Erased {
  const parts = partsOf(aggregate.stored.everyMessage(), null, bindings);
  aggregate.bury({ customerId, keys: aggregate.stored.keys.incoming().map(hashed), ...parts });
  return { isWhole: true, ...parts };
}

/** The contact's part of a conversation with others in it: theirs stays. `rebuild` brings D1 the rest. */
function scrub(
  aggregate: ConversationAggregate,
  record: ConversationRecord,
  gone: Gone,
  bindings: ChannelBinding[],
  announcedUntil: number,
): Erased {
  const at = aggregate.now();
  const messages = aggregate.stored.everyMessage();
  // Where an earlier run broke off, this one finds less here, and must still end what is outside.
  const parts = united(aggregate.unfinishedErasure ?? NOTHING, partsOf(messages, gone, bindings));
  aggregate.commit({
    at,
    messages: messages.map((message) => scrubMessage(message, gone, at)),
    ...scrubbedSends(aggregate, messages, gone, parts),
    scrubbed: {
      conversation: { ...scrubState(record.conversation, gone, parts.addressNames), updatedAt: at },
      rows: aggregate.log.after(0, Number.MAX_SAFE_INTEGER).map((row) => scrubRow(row, gone)),
    },
    record: scrubbedRecord(record, parts, announcedUntil),
    unfinishedErasure: parts,
  });
  return { isWhole: false, ...parts };
}

/** What is under way to them ends; what may be tried for others is not tried with them. */
function scrubbedSends(
  aggregate: ConversationAggregate,
  messages: Message[],
  gone: Gone,
  { messageIds }: ErasedParts,
): Pick<Decision, 'dropSends' | 'fallbackOptions'> {
  const lost = messages.flatMap((message) => lostDeliveries(message, gone)).map(({ id }) => id);
  const ofErased = aggregate.sends.filter(({ messageId }) => messageIds.includes(messageId));
  const fallbackOptions: FallbackOptions = Object.fromEntries(lost.map((id) => [id, []]));
  for (const { id } of messages.flatMap(({ deliveries }) => deliveries)) {
    if (id in fallbackOptions) continue;
    const options = aggregate.stored.fallbackOptions(id);
    const left = options.filter(({ binding }) => !targetIsGone(gone, binding.peer.target));
    if (left.length < options.length) fallbackOptions[id] = left;
  }
  return { dropSends: [...lost, ...ofErased.map(({ deliveryId }) => deliveryId)], fallbackOptions };
}

function scrubbedRecord(
  record: ConversationRecord,
  { addressNames, messageIds }: ErasedParts,
  announcedUntil: number,
): NonNullable<Decision['record']> {
  const kept = <T>(byName: Record<string, T>): Record<string, T> =>
    Object.fromEntries(Object.entries(byName).filter(([name]) => !addressNames.includes(name)));
  return {
    replyToken: null,
    pending: withoutMessages(record.pending, messageIds),
    consents: kept(record.consents),
    watermarks: kept(record.watermarks),
    announcedUntil: Math.max(record.announcedUntil, announcedUntil),
  };
}

function united(one: ErasedParts, other: ErasedParts): ErasedParts {
  const both = (some: string[], more: string[]): string[] => [...new Set([...some, ...more])];
  return {
    addressNames: both(one.addressNames, other.addressNames),
    messageIds: both(one.messageIds, other.messageIds),
    uploads: both(one.uploads, other.uploads),
  };
}
