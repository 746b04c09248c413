import { z } from '@hono/zod-openapi';
import { wellFormed } from '../../../domain/content.ts';
import { ACTOR_TYPES } from '../../../domain/permissions.ts';

const CHANNELS = ['', 'sms', 'mms', 'message', 'line', 'whatsapp', 'messenger', 'email', 'chat'] as const;

/** A channel as people name it; SMS and MMS are one conversation type. Empty: none in particular. */
export const channelSchema = z
  .enum(CHANNELS)
  .default('')
  .transform((name) => (name === 'sms' || name === 'mms' ? 'message' : name));

const time = z.string().openapi({ example: '2022-06-23 05:05:40.950834' });

export const addressSchema = z
  .object({
    type: z.string().openapi({ example: 'tel' }),
    target: z.string().openapi({ example: '+673802' }),
    target_name: z.string(),
    name: z.string(),
    detail: z.string(),
  })
  .openapi('Address');

export const participantSchema = z
  .object({
    id: z.uuid(),
    conversation_id: z.uuid(),
    contact_id: z.uuid().openapi({ description: 'The same in every conversation with this contact' }),
    type: z.string().openapi({ example: 'tel', description: 'Of its first address' }),
    target: z.string().openapi({ example: '+15559876543' }),
    name: z.string(),
    addresses: z.array(z.object({ type: z.string(), target: z.string() })),
    preferred_channel: z.string(),
    unverified: z.array(z.object({ type: z.string(), target: z.string() })).openapi({
      description: 'Addresses that a visitor of the web chat typed in; they may receive answers but identify nobody',
    }),
    tm_create: time,
  })
  .openapi('ConversationParticipant');

export const conversationSchema = z
  .object({
    id: z.uuid(),
    customer_id: z.uuid(),
    owner_type: z.string().openapi({ example: 'agent', description: 'Empty if the conversation has no owner' }),
    owner_id: z.string().openapi({ format: 'uuid', description: 'The nil UUID if the conversation has no owner' }),
    account_id: z.uuid(),
    name: z.string(),
    detail: z.string(),
    type: z.string().openapi({ example: 'message', description: '`message` (SMS and MMS) or `line`' }),
    dialog_id: z.string(),
    self: addressSchema,
    peer: addressSchema,
    tm_create: time,
    tm_update: time,
    tm_delete: time.openapi({ example: '9999-01-01 00:00:00.000000' }),
    state: z.enum(['active', 'idle', 'closed']),
    merged_into: z.string().openapi({
      format: 'uuid',
      description:
        'The conversation in which this one continues since their contacts were merged; otherwise the nil UUID',
    }),
    ai_mode: z.enum(['ai', 'human', 'closed']),
    mode_epoch: z.number().int().openapi({
      description: 'Increases with every change of `ai_mode`; an assistant’s send with an older one is refused',
    }),
    opt_out: z
      .boolean()
      .openapi({ description: 'The contact opted out (STOP); sends return 422 until it opts in again (START)' }),
    window_expires_at: time.nullable().openapi({
      description:
        'WhatsApp: the time until which free text may be sent. Null if there is no limit, or if the contact has never written',
    }),
    sequence: z.number().int().openapi({ description: 'The sequence of the last event; use it for If-Match' }),
    last_message_at: time.nullable(),
    tags: z.array(z.string()),
    archived: z.boolean(),
    participants: z
      .array(participantSchema)
      .openapi({ description: 'Empty on conversations created by older versions' }),
    reachable: z.boolean().openapi({ description: 'False if the contact blocked or left the account' }),
  })
  .openapi('Conversation');

export const conversationChangesSchema = z
  .object({
    owner_id: z
      .string()
      .optional()
      .openapi({ format: 'uuid', description: 'The id of an agent; the nil UUID removes the owner' }),
    owner_type: z.string().optional().openapi({ description: 'Ignored; derived from owner_id' }),
    name: z.string().max(255).optional(),
    detail: z.string().max(4000).optional(),
    tags: z.array(z.string().min(1).max(64)).max(50).optional(),
    archived: z.boolean().optional().openapi({ description: 'Archived; the contact’s next message restores it' }),
    ai_mode: z.enum(['ai', 'human', 'closed']).optional().openapi({ description: '`closed` ends the conversation' }),
  })
  .openapi('ConversationChanges');

export const mediaSchema = z
  .object({
    type: z.string().openapi({
      example: 'image/png',
      description: 'A MIME type, or a kind that has no file, for example `location` or `sticker`',
    }),
    url: z.string().openapi({
      example: 'https://example.com/tracking-map.png',
      description: 'Empty if there is no file',
    }),
  })
  .catchall(z.string())
  .openapi('Media');

export const templateUseSchema = z
  .object({
    name: z.string().min(1).max(512),
    language: z.string().min(2).max(16).openapi({ example: 'en_US' }),
    parameters: z.array(z.string().min(1).max(1024).transform(wellFormed)).max(50).default([]),
  })
  .openapi('TemplateUse');

const placeSchema = z.object({ channel: z.string(), account_id: z.uuid(), target: z.string() });

/** Why a message goes to a participant as it does (seed 002's channel selection). */
export const choiceSchema = z
  .object({
    participant_id: z.uuid(),
    chosen: placeSchema.nullable().openapi({ description: 'Null if no channel reaches this participant' }),
    rejected: z.array(
      placeSchema.extend({
        reason: z.enum(['NOT_NEEDED', 'CONTENT', 'OPTED_OUT', 'WINDOW_CLOSED', 'OTHER_CHANNEL']),
        problem: z.string(),
      }),
    ),
  })
  .openapi('ChannelChoice');

export const deliverySchema = z
  .object({
    id: z.uuid(),
    account_id: z.uuid(),
    channel: z.string(),
    target: z.string(),
    status: z.enum(['queued', 'sending', 'sent', 'failed', 'delivered', 'read']),
    attempts: z.number().int(),
    provider_id: z.string(),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    uncertain: z.boolean().openapi({
      description: 'An attempt ended without an answer, so that the message may have been delivered twice',
    }),
    fallback_for: z.string().openapi({
      format: 'uuid',
      description: 'The delivery that this one replaces because it failed or was not seen; otherwise the nil UUID',
    }),
    segments: z.object({ encoding: z.enum(['GSM-7', 'UCS-2']), count: z.number().int() }).nullable(),
    tm_update: time,
  })
  .openapi('Delivery');

export const messageSchema = z
  .object({
    id: z.uuid(),
    customer_id: z.uuid(),
    conversation_id: z.uuid(),
    direction: z.enum(['incoming', 'outgoing']),
    status: z
      .string()
      .openapi({ example: 'progressing', description: '`received`, `progressing`, `done` or `failed`' }),
    reference_type: z.string(),
    reference_id: z.string(),
    subject: z.string().openapi({ description: 'The subject of an e-mail; otherwise empty' }),
    text: z.string(),
    medias: z.array(mediaSchema),
    tm_create: time,
    tm_update: time,
    tm_delete: time,
    sequence: z.number().int(),
    source: addressSchema,
    destination: addressSchema,
    sender: z.object({ type: z.enum(ACTOR_TYPES), id: z.string(), name: z.string() }),
    deliveries: z.array(deliverySchema),
    client_id: z.string(),
    template: templateUseSchema
      .nullable()
      .openapi({ description: 'The template that was sent; `text` is its rendered text' }),
    routing: z.array(choiceSchema).openapi({ description: 'Empty if there was no choice' }),
  })
  .openapi('Message');

const change = {
  actor: z.object({ type: z.enum(ACTOR_TYPES), id: z.string() }),
  reason: z
    .enum([
      'request',
      'reply',
      'handoff',
      'assistant_failed',
      'flow_gone',
      'timeout',
      'contact',
      'provider',
      'elsewhere',
    ])
    .openapi({
      description: '`assistant_failed`: the assistant failed too often and the conversation was handed to people',
    }),
  from_mode: z.enum(['ai', 'human', 'closed']).optional(),
  to_mode: z.enum(['ai', 'human', 'closed']).optional(),
  from_owner_id: z.string().optional().openapi({ format: 'uuid', description: 'The nil UUID for no owner' }),
  to_owner_id: z.string().optional().openapi({ format: 'uuid' }),
  opt_out: z.boolean().optional(),
};

/** Who turned what over: an entry of the mode history, of the assignment history, and of the timeline. */
export const changeEntrySchema = z
  .object({ conversation_id: z.uuid(), sequence: z.number().int(), ...change, tm_create: time })
  .openapi('ConversationChange');

export const timelineEntrySchema = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('message'), sequence: z.number().int(), data: messageSchema }),
    z.object({ type: z.literal('system'), sequence: z.number().int(), data: changeEntrySchema }),
  ])
  .openapi('TimelineEntry');
