import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Room } from './aggregate.ts';
import { CLOSE_UNAUTHORIZED } from '../live/protocol.ts';
import { close } from '../live/socket.ts';
import type { Opening } from '../../domain/conversation/commands.ts';
import { isMessageEvent } from '../../domain/conversation/events.ts';
import { linksOf, type Link } from '../../domain/conversation/identity/bindings.ts';
import { fromLogRow } from '../../domain/conversation/log-row.ts';
import { holderOf, type ContactAddress, type Participant } from '../../domain/conversation/identity/participants.ts';
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
export function erase(ctx: DurableObjectState, room: Room, wanted: ToErase): Erased | null {
  const buried = readTombstone(ctx.storage);
  if (buried) return buried.customerId === wanted.customerId ? { isWhole: true, ...buried } : null;
  const state = room.store.record()?.conversation;
  if (!state) return bury(ctx, room, wanted.customerId, []);
  if (state.customerId !== wanted.customerId) return null;
  const past = pastOf(room);
  const gone = goneFrom(state, wanted.contactIds, wanted.addresses, past.left);
  const links = [...linksOf(state), ...past.links];
  if (!isAlone(state, gone)) return scrub(room, gone, links, wanted.announced);
  ctx.getWebSockets().forEach((socket) => close(socket, CLOSE_UNAUTHORIZED, 'erased'));
  return bury(ctx, room, wanted.customerId, links);
}

/** Outside the object nothing is left either. */
export const endErasure = (room: Room): boolean => room.storage.kv.delete(TAKEN_OUT);

/** It was taken out for good, and nobody has brought it in again: what comes from there begins another conversation. */
export const isForgotten = (room: Room, { addressName, peer }: Opening): boolean => {
  const record = room.store.record();
  return record?.forgotten?.includes(addressName) === true && holderOf(record.conversation, peer) === null;
};

/** Who has left the conversation, and by which ways it ever went. */
function pastOf(room: Room): { left: Participant[]; links: Link[] } {
  const rows = room.log.after(0, Number.MAX_SAFE_INTEGER).filter(({ messageId }) => messageId === null);
  const events = rows.map((row) => fromLogRow(row, null));
  return {
    left: events.flatMap((event) =>
      !isMessageEvent(event) && event.type === 'conversation.participant_removed' && event.participant
        ? [event.participant]
        : [],
    ),
    links: events.flatMap((event) => (isMessageEvent(event) ? [] : linksOf(event.conversation))),
  };
}

/** The ways, messages and uploads that go. Of a whole conversation (`gone` null) that is all of them. */
function partsOf(room: Room, gone: Gone | null, links: Link[]): Parts {
  const before = room.store.everyMessage();
  const messages = gone === null ? before : before.filter((each) => isScrubbed(each, gone));
  const kept = uploadsIn(before.filter((each) => !messages.includes(each)));
  const theirs = links.filter(({ peer }) => gone === null || targetIsGone(gone, peer.target));
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
function bury(ctx: DurableObjectState, room: Room, customerId: string, links: Link[]): Erased {
  const parts = partsOf(room, null, links);
  const tombstone: Tombstone = { customerId, keys: room.store.keys.incoming().map(hashed), ...parts };
  // The answer waits for it: the output gate opens when what was written is durable.
  void ctx.storage.deleteAll();
  room.store.forget();
  ctx.storage.kv.put(TOMBSTONE, JSON.stringify(tombstone));
  return { isWhole: true, ...parts };
}

/** The contact's part of a conversation with others in it: their own stays. D1 gets it anew by `rebuild`. */
function scrub(room: Room, gone: Gone, links: Link[], announced: number): Erased {
  const at = room.now();
  return room.storage.transactionSync(() => {
    const parts = joined(readTakenOut(room), partsOf(room, gone, links));
    room.storage.kv.put(TAKEN_OUT, JSON.stringify(parts));
    for (const message of room.store.everyMessage()) scrubOne(room, message, gone, at);
    for (const row of room.log.after(0, Number.MAX_SAFE_INTEGER)) room.log.replace(scrubRow(row, gone));
    for (const id of parts.messageIds) room.store.dropSendsOf(id);
    scrubRecord(room, gone, parts, announced, at);
    return { isWhole: false, ...parts };
  });
}

function scrubOne(room: Room, message: Message, gone: Gone, at: Micros): void {
  for (const { id } of lostDeliveries(message, gone)) {
    room.store.dropSend(id);
    room.store.dropSpares(id);
  }
  for (const { id } of message.deliveries) {
    const ways = room.store.spares(id);
    const left = ways.filter(({ link }) => !targetIsGone(gone, link.peer.target));
    if (left.length === ways.length) continue;
    room.store.dropSpares(id);
    room.store.saveSpares(id, left);
  }
  room.store.saveMessage(scrubMessage(message, gone, at));
}

function scrubRecord(room: Room, gone: Gone, parts: Parts, announced: number, at: Micros): void {
  const { addressNames, messageIds } = parts;
  const record = room.store.record();
  if (!record) return;
  const conversation: ConversationState = { ...scrubState(record.conversation, gone), updatedAt: at };
  const kept = <T>(byWay: Record<string, T>): Record<string, T> =>
    Object.fromEntries(Object.entries(byWay).filter(([name]) => !addressNames.includes(name)));
  room.store.saveRecord({
    ...record,
    conversation,
    replyToken: null,
    pending: withoutMessages(record.pending, messageIds),
    consents: kept(record.consents),
    horizons: kept(record.horizons),
    forgotten: [...new Set([...(record.forgotten ?? []), ...addressNames])],
    quietUntil: Math.max(record.quietUntil ?? 0, announced),
    lastAt: at,
  });
}

/** Of an erasure that broke off: its second run finds nothing here, and must end what is outside. */
function readTakenOut(room: Room): Parts {
  const stored = room.storage.kv.get<string>(TAKEN_OUT);
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
