import { z } from '@hono/zod-openapi';
import { webhookSecret } from '../../openapi.ts';
import { PERMISSION_MASK } from '../../../domain/permissions.ts';

const time = z.string().openapi({ example: '2022-06-23 05:05:40.950834' });
const stamps = { tm_create: time, tm_update: time, tm_delete: time };
const text = z.string().max(4000);
const name = z.string().max(255);

export const AGENT_STATUSES = ['available', 'away', 'busy', 'offline', 'ringing'] as const;

export const agentSchema = z
  .object({
    id: z.uuid(),
    customer_id: z.uuid(),
    username: z.string(),
    name: z.string(),
    detail: z.string(),
    permission: z.number().int().openapi({ description: 'The sum of 16 (agent), 32 (admin) and 64 (manager)' }),
    status: z.string(),
    ...stamps,
  })
  .openapi('Agent');

const permission = z
  .number()
  .int()
  .refine(
    (bits) => bits > 0 && (bits & ~PERMISSION_MASK) === 0,
    'must be a sum of 16 (agent), 32 (admin) and 64 (manager)',
  );
const password = z.string().min(8, 'must have at least 8 characters').max(1024);

export const newAgentSchema = z
  .object({
    username: z.string().min(1).max(255),
    password,
    name: name.default(''),
    detail: text.default(''),
    permission: permission.default(16),
  })
  .openapi('NewAgent');

export const agentChangesSchema = z.object({ name: name.optional(), detail: text.optional() }).openapi('AgentChanges');
export const agentPermissionSchema = z.object({ permission });
export const agentPasswordSchema = z.object({ password });
export const agentStatusSchema = z.object({ status: z.enum(AGENT_STATUSES) });

export const accessKeySchema = z
  .object({
    id: z.uuid(),
    customer_id: z.uuid(),
    name: z.string(),
    detail: z.string(),
    token: z.string().optional().openapi({ description: 'Only in the response that creates it' }),
    token_prefix: z.string(),
    tm_expire: time,
    ...stamps,
  })
  .openapi('AccessKey');

const DAY_S = 24 * 3600;
const YEAR_S = 365 * DAY_S;

export const newAccessKeySchema = z
  .object({
    name: name.default(''),
    detail: text.default(''),
    expire: z
      .number()
      .int()
      .min(DAY_S)
      .max(10 * YEAR_S)
      .default(YEAR_S)
      .openapi({ description: 'Lifetime in seconds, at least one day' }),
    dialect: z
      .enum(['voipbin', 'voicebip'])
      .default('voipbin')
      .openapi({ description: 'The format of the token: vb_… or pk_live_…' }),
  })
  .openapi('NewAccessKey');

export const accessKeyChangesSchema = z.object({ name: name.optional(), detail: text.optional() });

export const customerSchema = z
  .object({
    id: z.uuid(),
    name: z.string(),
    detail: z.string(),
    webhook_method: z.string(),
    webhook_uri: z.string(),
    webhook_secret: z.string().optional().openapi({ description: 'Only returned to administrators' }),
    conversation_idle_timeout: z.number().int().openapi({ description: 'Seconds' }),
    conversation_close_timeout: z.number().int().openapi({ description: 'Seconds' }),
    ...stamps,
  })
  .openapi('Customer');

const seconds = z
  .number()
  .int()
  .min(1)
  .max(10 * YEAR_S);

export const customerChangesSchema = z
  .object({
    name,
    detail: text,
    webhook_method: z.enum(['', 'POST', 'PUT']).openapi({ description: 'Empty means POST' }),
    webhook_uri: z.string().max(2000).openapi({ description: 'Empty disables the webhook' }),
    webhook_secret: z
      .union([z.literal(''), webhookSecret])
      .openapi({ description: 'Empty keeps the current secret', type: 'string' }),
    conversation_idle_timeout: seconds,
    conversation_close_timeout: seconds,
  })
  .partial()
  .openapi('CustomerChanges');

export const newCustomerSchema = z
  .object({ name: name.min(1), username: z.string().min(1).max(255), password: password.optional() })
  .openapi('NewCustomer');
