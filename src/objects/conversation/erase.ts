import { z } from 'zod';
import type { Room } from './room.ts';
import { CLOSE_UNAUTHORIZED } from '../session-protocol.ts';
import { close } from '../socket.ts';
import { goneFrom, isAlone, scrubMessage, scrubRow, scrubState, type Gone } from '../../domain/conversation/scrub.ts';
import { linksOf } from '../../domain/conversation/links.ts';
import type { Message } from '../../domain/conversation/state.ts';
import { sha256Hex } from '../../security/encoding.ts';
import { storedIn } from '../../storage/medias.ts';

const TOMBSTONE = 'tombstone';

const tombstoneSchema = z.object({
  customerId: z.string(),
  /** Hashes of the provider ids that came in: what is delivered again must not begin anew. */
  keys: z.array(z.string()),
  addressNames: z.array(z.string()),
  messageIds: z.array(z.string()),
  uploads: z.array(z.string()),
});

export type Tombstone = z.infer<typeof tombstoneSchema>;

/** What an erasure has taken out of a conversation, by ids alone. */
export interface Erased {
  /** The conversation is gone, not only some of its people. */
  isWhole: boolean;
  /** The names of the AddressObjects of their ways. */
  addressNames: string[];
  messageIds: string[];
  /** Uploads that stood in these messages. */
  uploads: string[];
}

export function readTombstone(storage: DurableObjectStorage): Tombstone | null {
  const stored = storage.kv.get<string>(TOMBSTONE);
  return stored === undefined ? null : tombstoneSchema.parse(JSON.parse(stored));
}

/** Takes a contact out of a conversation. Null where it is not this customer's. Repeated, it gives the same again. */
export async function erase(
  ctx: DurableObjectState,
  room: Room,
  customerId: string,
  contactIds: string[],
): Promise<Erased | null> {
  const buried = readTombstone(ctx.storage);
  if (buried) return buried.customerId === customerId ? { isWhole: true, ...buried } : null;
  const state = room.store.record()?.conversation;
  if (state?.customerId !== customerId) return null;
  if (!isAlone(state, contactIds)) return scrub(room, contactIds);
  ctx.getWebSockets().forEach((socket) => close(socket, CLOSE_UNAUTHORIZED, 'erased'));
  return bury(ctx, room, customerId);
}

/** The ways, messages and uploads that go. Of a whole conversation that is all of them. */
function partsOf(room: Room, gone: Gone | null): Erased {
  const state = room.store.record()?.conversation;
  const links = state ? linksOf(state) : [];
  const isTheirs = (target: string): boolean => gone === null || gone.addresses.some((one) => one.target === target);
  const before = room.store.everyMessage();
  const messages = gone === null ? before : before.filter((each) => isScrubbed(each, gone));
  return {
    isWhole: gone === null,
    addressNames: links.filter(({ peer }) => isTheirs(peer.target)).map(({ addressName }) => addressName),
    messageIds: messages.map(({ id }) => id),
    uploads: uploadsIn(messages).filter(
      (id) => !uploadsIn(before.filter((each) => !messages.includes(each))).includes(id),
    ),
  };
}

const uploadsIn = (messages: Message[]): string[] =>
  messages.flatMap(({ medias }) => medias.flatMap(({ providerRef }) => storedIn(providerRef) ?? []));

const isScrubbed = (message: Message, gone: Gone): boolean =>
  message.deletedAt === null && scrubMessage(message, gone, 1).deletedAt !== null;

/** Nothing is left but hashes and ids, so that neither a redelivery nor a rebuild brings anything back. */
async function bury(ctx: DurableObjectState, room: Room, customerId: string): Promise<Erased> {
  const parts = partsOf(room, null);
  const { addressNames, messageIds, uploads } = parts;
  const keys = await Promise.all(room.store.keys.incoming().map((key) => sha256Hex(key)));
  await ctx.storage.deleteAll();
  room.store.forget();
  const tombstone: Tombstone = { customerId, keys, addressNames, messageIds, uploads };
  ctx.storage.kv.put(TOMBSTONE, JSON.stringify(tombstone));
  return parts;
}

/** The contact's part of a conversation with others in it: their own stays. D1 gets it anew by `rebuild`. */
function scrub(room: Room, contactIds: string[]): Erased {
  const record = room.store.record();
  if (!record) return { isWhole: false, addressNames: [], messageIds: [], uploads: [] };
  const gone = goneFrom(record.conversation, contactIds);
  const parts = partsOf(room, gone);
  const at = room.now();
  room.storage.transactionSync(() => {
    for (const message of room.store.everyMessage()) room.store.saveMessage(scrubMessage(message, gone, at));
    for (const row of room.log.after(0, Number.MAX_SAFE_INTEGER)) room.log.replace(scrubRow(row, gone));
    for (const id of parts.messageIds) room.store.dropSendsOf(id);
    const conversation = { ...scrubState(record.conversation, gone), updatedAt: at };
    const kept = Object.entries(record.consents).filter(([name]) => !parts.addressNames.includes(name));
    room.store.saveRecord({
      ...record,
      conversation,
      replyToken: null,
      consents: Object.fromEntries(kept),
      lastAt: at,
    });
  });
  return parts;
}
