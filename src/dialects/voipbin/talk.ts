import type { Participant, Reaction, TalkMedia, TalkMessage, TalkState } from '../../domain/talk/state.ts';
import { NIL_UUID } from '../../domain/ids.ts';
import type { Micros } from '../../domain/time.ts';
import { blankTime } from './times.ts';

/** Talk writes "not yet" and "never" as an empty string (spec section 9). */
const timeOrEmpty = (at: Micros | null): string => (at === null ? '' : blankTime(at));

/** Seed 004's talk, plus what spec section 6 adds. */
export const presentTalk = (state: TalkState) => ({
  id: state.id,
  customer_id: state.customerId,
  type: state.type,
  name: state.name,
  detail: state.detail,
  tm_create: blankTime(state.createdAt),
  tm_update: blankTime(state.updatedAt),
  tm_delete: timeOrEmpty(state.deletedAt),
  state: state.lifecycle,
  member_count: state.memberCount,
  sequence: state.sequence,
  last_message_at: state.lastMessageAt === null ? null : blankTime(state.lastMessageAt),
});

export const presentParticipant = (participant: Participant) => ({
  id: participant.id,
  customer_id: participant.customerId,
  owner_type: 'agent' as const,
  owner_id: participant.agentId,
  agent_id: participant.agentId,
  chat_id: participant.talkId,
  name: participant.name,
  tm_joined: blankTime(participant.joinedAt),
  read_sequence: participant.readSequence,
});

const presentReaction = ({ emoji, agentId, createdAt }: Reaction) => ({
  emoji,
  owner_type: 'agent' as const,
  owner_id: agentId,
  tm_create: blankTime(createdAt),
});

const presentMedia = ({ type, url, name }: TalkMedia) => ({ type, url, name });

/** Seed 004's message, with `agent_id` as in its overview, plus what spec section 6 adds. */
export const presentTalkMessage = (message: TalkMessage) => ({
  id: message.id,
  customer_id: message.customerId,
  owner_type: message.ownerId === null ? ('system' as const) : ('agent' as const),
  owner_id: message.ownerId ?? NIL_UUID,
  agent_id: message.ownerId ?? NIL_UUID,
  chat_id: message.talkId,
  parent_id: message.parentId ?? '',
  type: message.type,
  text: message.text,
  medias: message.medias.map(presentMedia),
  metadata: { reactions: message.reactions.map(presentReaction) },
  mentions: message.mentions,
  tm_create: blankTime(message.createdAt),
  tm_update: blankTime(message.updatedAt),
  tm_delete: timeOrEmpty(message.deletedAt),
  tm_edit: timeOrEmpty(message.editedAt),
  sequence: message.sequence,
  client_id: message.clientId,
});

/** What `reaction_added` and `reaction_removed` carry: the current message and the reaction. */
export const presentReacted = (message: TalkMessage, reaction: Reaction) => ({
  ...presentTalkMessage(message),
  reaction: presentReaction(reaction),
});

/** An earlier version of an edited message; `tm_create` is when that version was written. */
export const presentEdit = (edit: { text: string; medias: TalkMedia[]; at: Micros }) => ({
  text: edit.text,
  medias: edit.medias.map(presentMedia),
  tm_create: blankTime(edit.at),
});
