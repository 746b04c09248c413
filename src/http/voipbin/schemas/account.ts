import { z } from '@hono/zod-openapi';
import { uuid } from '../../openapi.ts';
import { readId } from '../../../dialects/voicebip/ids.ts';

const time = z.string().openapi({ example: '2024-03-01T10:00:00.000000Z' });
const providerData = z.record(z.string(), z.union([z.string(), z.array(z.string())]));

/** An agent of `/v1` is an assistant: its id there is good here too. */
const assistantId = z
  .string()
  .transform((id) => readId('agt', id) ?? id)
  .pipe(uuid)
  .openapi({ type: 'string', description: 'A UUID, or an `agt_…` id as `/v1/agents` returns it' });

export const accountSchema = z
  .object({
    id: z.uuid(),
    customer_id: z.uuid(),
    type: z.string().openapi({ example: 'line' }),
    name: z.string(),
    detail: z.string(),
    message_flow_id: z.string().openapi({ format: 'uuid' }),
    tm_create: time,
    tm_update: time,
    tm_delete: time.openapi({ example: '9999-01-01T00:00:00.000000Z' }),
    assistant_id: z.string().openapi({ format: 'uuid' }),
    provider_data: providerData,
    fallback: z.boolean(),
    hook_url: z.string().openapi({ description: 'The URL to which the provider sends its webhooks' }),
  })
  .openapi('ConversationAccount');

const editable = {
  name: z.string().max(255),
  detail: z.string().max(4000),
  message_flow_id: uuid,
  assistant_id: assistantId,
  secret: z.string().max(4096).openapi({ description: 'Write-only' }),
  token: z.string().max(4096).openapi({ description: 'Write-only' }),
  provider_data: providerData,
  fallback: z.boolean().openapi({
    description: 'Whether a message that fails permanently on this account is retried on the contact’s next channel',
  }),
};

export const newAccountSchema = z
  .object({ type: z.string().min(1).max(32), ...editable })
  .partial({
    name: true,
    detail: true,
    message_flow_id: true,
    assistant_id: true,
    secret: true,
    token: true,
    provider_data: true,
    fallback: true,
  })
  .openapi('NewConversationAccount');

export const accountChangesSchema = z.object(editable).partial().openapi('ConversationAccountChanges');
