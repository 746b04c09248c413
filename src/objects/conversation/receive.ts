import type { Room } from './room.ts';
import type { InboundItem, ReceiveCommand } from '../../domain/conversation/commands.ts';
import { decideReceive } from '../../domain/conversation/decide-inbound.ts';
import type { Refusal } from '../../domain/errors.ts';
import { ok, type Result } from '../../domain/result.ts';

/** What an inbound item became. A repeat names what the first one made; an item that made no message has an empty id. */
export interface Received {
  conversationId: string;
  messageId: string;
  duplicate: boolean;
}

const keyOf = (providerKey: string): string => `in:${providerKey}`;

export const knowsKey = (room: Room, providerKey: string): boolean =>
  room.store.keys.used(keyOf(providerKey), Date.now()) !== null;

/** Takes an item once: the provider's key and the message are one commit. */
export function receive(room: Room, command: ReceiveCommand): Result<Received, Refusal> {
  const { opening, item, settings } = command;
  const { conversationId } = opening;
  const known = room.store.keys.used(keyOf(item.dedupeKey), Date.now());
  if (known) return ok({ conversationId, messageId: known.messageId, duplicate: true });
  const state = room.store.record()?.conversation ?? null;
  const at = room.now();
  const decided = decideReceive(state, opening, item, targetOf(room, item), at);
  if (!decided.ok) return decided;
  const messageId = item.kind === 'message' ? item.messageId : '';
  const replyToken = item.kind === 'redaction' ? null : item.replyToken;
  room.commit(decided.value, at, {
    settings,
    ...(replyToken ? { replyToken } : {}),
    rows: () => {
      for (const key of keysOf(room, item)) room.store.keys.save(keyOf(key), { messageId, fingerprint: '' }, null);
    },
  });
  return ok({ conversationId, messageId, duplicate: false });
}

/**
 * The keys that are used up: the item's own and, where a message was taken back before it came, that message's.
 * Providers keep no order, and what a contact has taken back must not be shown when it arrives at last.
 */
const keysOf = (room: Room, item: InboundItem): string[] =>
  item.kind === 'redaction' && !knowsKey(room, item.targetKey) ? [item.dedupeKey, item.targetKey] : [item.dedupeKey];

function targetOf(room: Room, item: InboundItem) {
  if (item.kind !== 'redaction') return null;
  const known = room.store.keys.used(keyOf(item.targetKey), Date.now());
  return known ? room.store.message(known.messageId) : null;
}
