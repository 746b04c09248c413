import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { ConversationAggregate } from './aggregate.ts';
import { CLOSE_UNAUTHORIZED } from '../live/protocol.ts';
import { close } from '../live/socket.ts';
import type { Opening } from '../../domain/conversation/commands.ts';
import { isMessageEvent } from '../../domain/conversation/events.ts';
import { bindingsOf, type ChannelBinding } from '../../domain/conversation/identity/bindings.ts';
import { fromLogRow } from '../../domain/conversation/log-row.ts';
import { isErased } from '../../domain/conversation/identity/membership.ts';
import type { ContactAddress, Person } from '../../domain/conversation/identity/participants.ts';
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
import type { ConversationState, Message } from '../../domain/conversation/state.ts';
import type { Micros } from '../../domain/time.ts';
import { storedIn } from '../../storage/medias.ts';

const TOMBSTONE = 'tombstone';
/** What a partial erasure has taken out, until everything outside has gone too. */
const TAKEN_OUT = 'taken-out';

const partsSchema = z.object({
  /** The names of the AddressObjects of their ways. */
  addressNames: z.array(z.string()),
  messageIds: z.array(z.string()),
  /** Uploads that stood in these messages. */
  uploads: z.array(z.string()),
});

const tombstoneSchema = partsSchema.extend({
  customerId: z.string(),
  /** Hashes of the provider ids that came in: what is delivered again must not begin anew. */
  keys: z.array(z.string()),
});

export type Tombstone = z.infer<typeof tombstoneSchema>;

type Parts = z.infer<typeof partsSchema>;

/** What an erasure has taken out of a conversation, by ids alone. */
export interface Erased extends Parts {
  /** The conversation is gone, not only some of its people. */
  isWhole: boolean;
}

/** Whom an erasure is about. */
export interface ToErase {
  customerId: string;
  contactIds: string[];
  /** What they have anywhere. */
  addresses: ContactAddress[];
  /** How far D1 has the log: that was announced. */
  announced: number;
}

const NOTHING: Parts = { addressNames: [], messageIds: [], uploads: [] };

export function readTombstone(storage: DurableObjectStorage): Tombstone | null {
  const stored = storage.kv.get<string>(TOMBSTONE);
  return stored === undefined ? null : tombstoneSchema.parse(JSON.parse(stored));
}

/**
 * Takes a contact out of a conversation, in one synchronous stretch. Null where it is another customer's. Repeated, it gives the same
 * again. Of one that has nothing, though lists know it, an erasure broke off before its tombstone stood.
 */
export function erase(ctx: DurableObjectState, aggregate: ConversationAggregate, wanted: ToErase): Erased | null {
  const buried = readTombstone(ctx.storage);
  if (buried) return buried.customerId === wanted.customerId ? { isWhole: true, ...buried } : null;
  const state = aggregate.store.record()?.conversation;
  if (!state) return bury(ctx, aggregate, wanted.customerId, []);
  if (state.customerId !== wanted.customerId) return null;
  const past = pastOf(aggregate);
  const gone = goneFrom(state, wanted.contactIds, wanted.addresses, past.left);
  const bindings = [...bindingsOf(state), ...past.bindings];
  if (!isAlone(state, gone)) return scrub(aggregate, gone, bindings, wanted.announced);
  ctx.getWebSockets().forEach((socket) => close(socket, CLOSE_UNAUTHORIZED, 'erased'));
  return bury(ctx, aggregate, wanted.customerId, bindings);
}

/** Outside the object nothing is left either. */
export const endErasure = (aggregate: ConversationAggregate): boolean => aggregate.storage.kv.delete(TAKEN_OUT);

/** It was taken out for good, and nobody has brought it in again: what comes from there begins another conversation. */
export const isForgotten = (aggregate: ConversationAggregate, opening: Opening): boolean => {
  const state = aggregate.store.record()?.conversation;
  return state !== undefined && isErased(state, opening);
};

/** Who has left the conversation, and by which ways it ever went. */
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

/** The ways, messages and uploads that go. Of a whole conversation (`gone` null) that is all of them. */
function partsOf(aggregate: ConversationAggregate, gone: Gone | null, bindings: ChannelBinding[]): Parts {
  const before = aggregate.store.everyMessage();
  const messages = gone === null ? before : before.filter((each) => isScrubbed(each, gone));
  const kept = uploadsIn(before.filter((each) => !messages.includes(each)));
  const theirs = bindings.filter(({ peer }) => gone === null || targetIsGone(gone, peer.target));
  return {
    addressNames: [...new Set(theirs.map(({ addressName }) => addressName))].filter((name) => name !== ''),
    messageIds: messages.map(({ id }) => id),
    uploads: uploadsIn(messages).filter((id) => !kept.includes(id)),
  };
}

const uploadsIn = (messages: Message[]): string[] =>
  messages.flatMap(({ medias }) => medias.flatMap(({ providerRef }) => storedIn(providerRef) ?? []));

const isScrubbed = (message: Message, gone: Gone): boolean =>
  message.deletedAt === null && scrubMessage(message, gone, 1).deletedAt !== null;

const hashed = (key: string): string => createHash('sha256').update(key).digest('hex');

/**
 * Nothing is left but hashes and ids, so that neither a redelivery nor a rebuild brings anything back. Nothing is awaited: no message can
 * come between, and the tombstone is written with what it stands for.
 */
function bury(
  ctx: DurableObjectState,
  aggregate: ConversationAggregate,
  customerId: string,
  bindings: ChannelBinding[],
): Erased {
  const parts = partsOf(aggregate, null, bindings);
  const tombstone: Tombstone = { customerId, keys: aggregate.store.keys.incoming().map(hashed), ...parts };
  // The answer waits for it: the output gate opens when what was written is durable.
  void ctx.storage.deleteAll();
  aggregate.store.forget();
  ctx.storage.kv.put(TOMBSTONE, JSON.stringify(tombstone));
  return { isWhole: true, ...parts };
}

/** The contact's part of a conversation with others in it: their own stays. D1 gets it anew by `rebuild`. */
function scrub(aggregate: ConversationAggregate, gone: Gone, bindings: ChannelBinding[], announced: number): Erased {
  const at = aggregate.now();
  return aggregate.storage.transactionSync(() => {
    const parts = joined(readTakenOut(aggregate), partsOf(aggregate, gone, bindings));
    aggregate.storage.kv.put(TAKEN_OUT, JSON.stringify(parts));
    for (const message of aggregate.store.everyMessage()) scrubOne(aggregate, message, gone, at);
    for (const row of aggregate.log.after(0, Number.MAX_SAFE_INTEGER)) aggregate.log.replace(scrubRow(row, gone));
    for (const id of parts.messageIds) aggregate.store.dropSendsOf(id);
    scrubRecord(aggregate, gone, parts, announced, at);
    return { isWhole: false, ...parts };
  });
}

function scrubOne(aggregate: ConversationAggregate, message: Message, gone: Gone, at: Micros): void {
  for (const { id } of lostDeliveries(message, gone)) {
    aggregate.store.dropSend(id);
    aggregate.store.dropFallbackOptions(id);
  }
  for (const { id } of message.deliveries) {
    const options = aggregate.store.fallbackOptions(id);
    const left = options.filter(({ binding }) => !targetIsGone(gone, binding.peer.target));
    if (left.length === options.length) continue;
    aggregate.store.dropFallbackOptions(id);
    aggregate.store.saveFallbackOptions(id, left);
  }
  aggregate.store.saveMessage(scrubMessage(message, gone, at));
}

function scrubRecord(aggregate: ConversationAggregate, gone: Gone, parts: Parts, announced: number, at: Micros): void {
  const { addressNames, messageIds } = parts;
  const record = aggregate.store.record();
  if (!record) return;
  const conversation: ConversationState = { ...scrubState(record.conversation, gone, addressNames), updatedAt: at };
  const kept = <T>(byWay: Record<string, T>): Record<string, T> =>
    Object.fromEntries(Object.entries(byWay).filter(([name]) => !addressNames.includes(name)));
  aggregate.store.saveRecord({
    ...record,
    conversation,
    replyToken: null,
    pending: withoutMessages(record.pending, messageIds),
    consents: kept(record.consents),
    horizons: kept(record.horizons),
    quietUntil: Math.max(record.quietUntil ?? 0, announced),
    lastAt: at,
  });
}

/** Of an erasure that broke off: its second run finds nothing here, and must end what is outside. */
function readTakenOut(aggregate: ConversationAggregate): Parts {
  const stored = aggregate.storage.kv.get<string>(TAKEN_OUT);
  return stored === undefined ? NOTHING : partsSchema.parse(JSON.parse(stored));
}

function joined(one: Parts, other: Parts): Parts {
  const both = (some: string[], more: string[]): string[] => [...new Set([...some, ...more])];
  return {
    addressNames: both(one.addressNames, other.addressNames),
    messageIds: both(one.messageIds, other.messageIds),
    uploads: both(one.uploads, other.uploads),
  };
}
