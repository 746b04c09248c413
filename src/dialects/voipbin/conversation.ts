import type { Address } from '../../domain/addresses.ts';
import {
  peopleOf,
  claimedAddresses,
  heldAddresses,
  plainAddress,
} from '../../domain/conversation/identity/participants.ts';
import type { ConversationState, Person } from '../../domain/conversation/state.ts';
import { NIL_UUID } from '../../domain/ids.ts';
import { blankTime, NEVER } from './times.ts';

export const presentAddress = (address: Address) => ({
  type: address.type,
  target: address.target,
  target_name: address.targetName,
  name: address.name,
  detail: address.detail,
});

/** Seed 002's participant: its first address, as in the seed, and all addresses beside it. */
export function presentPerson(conversationId: string, participant: Person) {
  const held = heldAddresses(participant);
  return {
    id: participant.id,
    conversation_id: conversationId,
    contact_id: participant.contactId,
    type: held[0]?.type ?? '',
    target: held[0]?.target ?? '',
    name: participant.name,
    addresses: held.map(plainAddress),
    preferred_channel: participant.preferredChannel,
    unverified: claimedAddresses(participant).map(plainAddress),
    tm_create: blankTime(participant.addedAt),
  };
}

/** Seed 000's conversation, plus what spec section 3 adds. */
export const presentConversation = (state: ConversationState) => ({
  id: state.id,
  customer_id: state.customerId,
  owner_type: state.ownerId === null ? '' : 'agent',
  owner_id: state.ownerId ?? NIL_UUID,
  account_id: state.accountId,
  name: state.name,
  detail: state.detail,
  type: state.type,
  dialog_id: state.dialogId,
  self: presentAddress(state.self),
  peer: presentAddress(state.peer),
  tm_create: blankTime(state.createdAt),
  tm_update: blankTime(state.updatedAt),
  tm_delete: state.deletedAt === null ? NEVER : blankTime(state.deletedAt),
  state: state.mergedInto === null ? state.lifecycle : 'closed',
  merged_into: state.mergedInto ?? NIL_UUID,
  ai_mode: state.aiMode,
  mode_epoch: state.modeEpoch,
  opt_out: state.optOut,
  window_expires_at: state.window && state.window.until > 0 ? blankTime(state.window.until) : null,
  sequence: state.sequence,
  last_message_at: state.lastMessageAt === null ? null : blankTime(state.lastMessageAt),
  tags: state.tags,
  archived: state.archived,
  participants: peopleOf(state).map((person) => presentPerson(state.id, person)),
  reachable: state.reachable,
});
