import type { Change } from '../../domain/conversation/events.ts';
import type { ConversationState } from '../../domain/conversation/state.ts';
import type { Micros } from '../../domain/time.ts';
import { writeId } from './ids.ts';
import { second, secondOrNull } from './times.ts';

/** The channel's name here: SMS and MMS are `message` inside. */
export const presentChannel = (type: string): string => (type === 'message' ? 'sms' : type);

export const readChannel = (channel: string): string => (channel === 'sms' ? 'message' : channel);

/** Includes the last message, because clients poll by this time. */
const touchedAt = ({ updatedAt, lastMessageAt }: ConversationState): Micros => Math.max(updatedAt, lastMessageAt ?? 0);

const windowOf = ({ window }: ConversationState): string | null =>
  window && window.until > 0 ? second(window.until) : null;

/**
 * A row of seed 003's list. `from_number` is ours and `to_number` the contact's, as in `POST /v1/messages`: on channels without
 * numbers they are the provider's ids. `agentId`: the assistant of the account, or null.
 */
export const presentConversation = (state: ConversationState, agentId: string | null) => ({
  conversation_id: writeId('conv', state.id),
  agent_id: agentId === null ? null : writeId('agt', agentId),
  channel: presentChannel(state.type),
  from_number: state.self.target,
  to_number: state.peer.target,
  window_expires_at: windowOf(state),
  opt_out: state.optOut,
  created_at: second(state.createdAt),
  updated_at: second(touchedAt(state)),
  last_message_at: secondOrNull(state.lastMessageAt),
});

/** The conversation by itself, which says its mode; the list does not. */
export const presentWithMode = (state: ConversationState, agentId: string | null) => ({
  ...presentConversation(state, agentId),
  ai_mode: state.aiMode,
});

interface Entry {
  createdAt: Micros;
  change: Change;
}

/** A row of seed 003's `conversation_mode_history`. The actor's id is a UUID of `/v1.0`, or empty for Parley itself. */
export const presentModeChange = ({ createdAt, change: { actor, mode } }: Entry) => ({
  actor_user_id: actor.id,
  actor_type: actor.type,
  from_mode: mode?.from ?? null,
  to_mode: mode?.to ?? null,
  timestamp: second(createdAt),
});
