import { z } from '@hono/zod-openapi';
import { uuid, webhookSecret } from '../../openapi.ts';
import { actionSchema, MAX_ACTIONS } from '../../../domain/flow/action.ts';
import { ASSISTANT_DEFAULTS } from '../../../storage/assistants.ts';

const time = z.string().openapi({ example: '2022-06-23 05:05:40.950834' });
const stamps = { tm_create: time, tm_update: time, tm_delete: time };

const assistantSettings = {
  name: z.string().max(255),
  detail: z.string().max(4000),
  webhook_url: z.string().max(2000),
  webhook_secret: webhookSecret.openapi({
    description: 'Signs the requests; generated if absent, and returned only once',
  }),
  debounce_ms: z.number().int().min(0).max(60_000).openapi({
    description:
      'Milliseconds without a message of the contact before the assistant is asked, so that several messages get one answer',
  }),
  timeout_ms: z.number().int().min(100).max(60_000),
  max_failures: z.number().int().min(1).max(20).openapi({
    description: 'After this many failures in a row the conversation is handed to people',
  }),
  history: z.number().int().min(0).max(100).openapi({ description: 'The number of earlier messages in each request' }),
};

export const assistantSchema = z
  .object({
    id: z.uuid(),
    customer_id: z.uuid(),
    name: z.string(),
    detail: z.string(),
    webhook_url: z.string(),
    webhook_secret: z.string().optional().openapi({ description: 'Only in the response that creates or changes it' }),
    debounce_ms: z.number().int(),
    timeout_ms: z.number().int(),
    max_failures: z.number().int(),
    history: z.number().int(),
    ...stamps,
  })
  .openapi('Assistant');

export const newAssistantSchema = z
  .object({
    ...assistantSettings,
    name: assistantSettings.name.default(''),
    detail: assistantSettings.detail.default(''),
    webhook_secret: assistantSettings.webhook_secret.optional(),
    debounce_ms: assistantSettings.debounce_ms.default(ASSISTANT_DEFAULTS.debounceMs),
    timeout_ms: assistantSettings.timeout_ms.default(ASSISTANT_DEFAULTS.timeoutMs),
    max_failures: assistantSettings.max_failures.default(ASSISTANT_DEFAULTS.maxFailures),
    history: assistantSettings.history.default(ASSISTANT_DEFAULTS.history),
  })
  .openapi('NewAssistant');

export const assistantChangesSchema = z.object(assistantSettings).partial().openapi('AssistantChanges');

const actionShown = z.object({
  id: z.string(),
  type: z.string().openapi({ example: 'conversation_send' }),
  option: z.record(z.string(), z.unknown()),
});

export const flowSchema = z
  .object({
    id: z.uuid(),
    customer_id: z.uuid(),
    name: z.string(),
    detail: z.string(),
    fenced: z.boolean(),
    actions: z.array(actionShown),
    ...stamps,
  })
  .openapi('Flow');

const flowSettings = {
  name: z.string().max(255),
  detail: z.string().max(4000),
  fenced: z.boolean().openapi({ description: 'If true, a running activeflow sends nothing more after a takeover' }),
  actions: z
    .array(actionSchema)
    .max(MAX_ACTIONS)
    .openapi({
      type: 'array',
      items: { type: 'object' },
      description: 'Run in order; `branch` jumps to the action whose id is `goto`',
      example: [
        { type: 'conversation_send', option: { text: 'Hello ${voipbin.conversation.peer.target_name}' } },
        { type: 'sleep', option: { duration: 86_400_000 } },
        { type: 'assistant_reply', option: { assistant_id: '0c8f23cb-e878-49bf-b69e-03f59252f217' } },
      ],
    }),
};

export const newFlowSchema = z
  .object({
    ...flowSettings,
    name: flowSettings.name.default(''),
    detail: flowSettings.detail.default(''),
    fenced: flowSettings.fenced.default(false),
    actions: flowSettings.actions.default([]),
  })
  .openapi('NewFlow');

export const flowChangesSchema = z.object(flowSettings).partial().openapi('FlowChanges');

export const activeflowSchema = z
  .object({
    id: z.uuid(),
    customer_id: z.uuid(),
    flow_id: z.uuid(),
    reference_type: z.literal('conversation'),
    reference_id: z.uuid().openapi({ description: 'The conversation' }),
    message_id: z.uuid().openapi({ description: 'The message that started the activeflow' }),
    status: z.enum(['running', 'ended', 'stopped', 'failed']),
    error: z.string().openapi({ description: 'The reason why it was stopped or failed; otherwise empty' }),
    fenced: z.boolean(),
    actions: z.array(actionShown),
    current_action: actionShown.nullable().openapi({ description: 'The action that runs now or comes next' }),
    executed_actions: z
      .array(
        z.object({
          id: z.string(),
          type: z.string(),
          outcome: z.string().openapi({ example: 'done', description: '`done`, or the code of what went wrong' }),
          tm_execute: time,
        }),
      )
      .openapi({ description: 'The last 200 actions' }),
    variables: z.record(z.string(), z.string()),
    ...stamps,
  })
  .openapi('Activeflow');

export const activeflowFilter = {
  flow_id: uuid.optional(),
  reference_id: uuid.optional().openapi({ description: 'A conversation' }),
  status: z.enum(['running', 'ended', 'stopped', 'failed']).optional(),
};
