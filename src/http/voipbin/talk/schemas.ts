import { z } from '@hono/zod-openapi';
import { uuidText } from '../../../dialects/voipbin/talk-bodies.ts';

const time = z.string().openapi({ example: '2024-01-17 10:30:00.000000' });
const timeOrEmpty = z.string().openapi({ example: '', description: 'Empty: it has not happened' });
const uuid = z.string().openapi({ format: 'uuid' });

export const talkSchema = z
  .object({
    id: uuid,
    customer_id: uuid,
    type: z.enum(['normal', 'group', 'channel']),
    name: z.string(),
    detail: z.string(),
    tm_create: time,
    tm_update: time,
    tm_delete: timeOrEmpty,
    state: z.enum(['active', 'closed']),
    member_count: z.number().int(),
    sequence: z.number().int().openapi({ description: 'The last event' }),
    last_message_at: time.nullable(),
    unread_count: z.number().int().openapi({
      description: 'The number of other agents’ messages after your read position; 1000 means 1000 or more',
    }),
  })
  .openapi('Talk');

export const participantSchema = z
  .object({
    id: uuid,
    customer_id: uuid,
    owner_type: z.literal('agent'),
    owner_id: uuid,
    agent_id: uuid.openapi({ description: 'Same as owner_id' }),
    chat_id: uuid,
    name: z.string(),
    tm_joined: time,
    read_sequence: z.number().int(),
  })
  .openapi('TalkParticipant');

const mediaSchema = z.object({ type: z.string(), url: z.string(), name: z.string() });

const reactionSchema = z.object({
  emoji: z.string().openapi({ example: '👍' }),
  owner_type: z.literal('agent'),
  owner_id: uuid,
  tm_create: time,
});

export const talkMessageSchema = z
  .object({
    id: uuid,
    customer_id: uuid,
    owner_type: z.enum(['agent', 'system']),
    owner_id: uuid,
    agent_id: uuid.openapi({ description: 'Same as owner_id' }),
    chat_id: uuid,
    parent_id: z.string().openapi({ description: 'Empty for a top-level message' }),
    type: z.enum(['normal', 'system']),
    text: z.string(),
    medias: z.array(mediaSchema),
    metadata: z.object({ reactions: z.array(reactionSchema) }),
    mentions: z.array(uuid).openapi({ description: 'The participants that are mentioned with @ in the text' }),
    tm_create: time,
    tm_update: time,
    tm_delete: timeOrEmpty,
    tm_edit: timeOrEmpty,
    sequence: z.number().int(),
    client_id: z.string(),
  })
  .openapi('TalkMessage');

export const editSchema = z
  .object({ text: z.string(), medias: z.array(mediaSchema), tm_create: time })
  .openapi('TalkMessageVersion');

/** VoIPBIN's own names for two of the types are taken too (facts/voipbin.md section 4). */
const type = z
  .enum(['normal', 'direct', 'group', 'channel', 'talk'])
  .default('group')
  .transform((given) => (given === 'direct' ? 'normal' : given === 'talk' ? 'channel' : given));

const ownerType = z.literal('agent', { error: 'must be agent' }).default('agent');
const MEMBERS = 1000;

export const newTalkSchema = z
  .object({
    type: type.openapi({ description: '`direct` means `normal`, `talk` means `channel`' }),
    name: z.string().max(255).default(''),
    detail: z.string().max(4000).default(''),
    participants: z
      .array(z.object({ owner_type: ownerType, owner_id: uuidText }))
      .max(MEMBERS)
      .default([]),
    participant_ids: z.array(uuidText).max(MEMBERS).default([]),
  })
  .openapi('NewTalk');

export const talkChangesSchema = z
  .object({ name: z.string().max(255).optional(), detail: z.string().max(4000).optional() })
  .refine(({ name, detail }) => name !== undefined || detail !== undefined, {
    path: ['name'],
    message: 'name or detail is required',
  })
  .openapi('TalkChanges');

export const newParticipantSchema = z
  .object({ owner_type: ownerType, owner_id: uuidText.optional(), agent_id: uuidText.optional() })
  .refine(({ owner_id, agent_id }) => owner_id !== undefined || agent_id !== undefined, {
    path: ['owner_id'],
    message: 'is required',
  })
  .openapi('NewTalkParticipant');
