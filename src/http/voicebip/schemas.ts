import { z } from '@hono/zod-openapi';
import { time } from './openapi.ts';

export const conversationSchema = z
  .object({
    conversation_id: z.string(),
    agent_id: z.string().nullable().openapi({ description: 'The agent (assistant) that answers on the account' }),
    channel: z.string().openapi({ example: 'whatsapp' }),
    from_number: z.string().openapi({ description: 'Ours' }),
    to_number: z.string().openapi({ description: 'The contact’s' }),
    window_expires_at: time.nullable(),
    opt_out: z.boolean(),
    created_at: time,
    updated_at: time,
    last_message_at: time.nullable(),
  })
  .openapi('VoicebipConversation');

export const messageSchema = z
  .object({
    message_id: z.string(),
    conversation_id: z.string(),
    direction: z.string().openapi({ example: 'inbound' }),
    channel: z.string(),
    message_type: z.string().openapi({ example: 'text' }),
    body: z.string(),
    media: z.array(z.object({ type: z.string(), url: z.string(), filename: z.string().optional() })),
    status: z.string(),
    error: z.object({ code: z.string(), text: z.string() }).nullable(),
    created_at: time,
  })
  .openapi('VoicebipMessage');

export const acceptedSchema = z
  .object({
    message_id: z.string(),
    conversation_id: z.string(),
    channel: z.string(),
    status: z.string().openapi({ example: 'queued' }),
    from_number: z.string(),
    to_number: z.string(),
    segments: z.number().int(),
    created_at: time,
  })
  .openapi('VoicebipAccepted');
