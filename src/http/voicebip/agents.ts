import { createRoute, z } from '@hono/zod-openapi';
import { withIdempotencyKey } from '../once.ts';
import { answer, body, idempotencyHeaders, KEY_REFUSALS, security, webhookSecret } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { checkedTarget } from '../voipbin/webhook-target.ts';
import { failures, time } from './openapi.ts';
import { nextToken, pageQuery, pageRequest } from './pages.ts';
import { presentAgent } from '../../dialects/voicebip/agent.ts';
import { wellFormed } from '../../domain/content.ts';
import { microsOf } from '../../domain/time.ts';
import { newWebhookSecret } from '../../security/tokens.ts';
import {
  ASSISTANT_DEFAULTS,
  insertAssistant,
  listAssistants,
  sealSecret,
  type Assistant,
} from '../../storage/assistants.ts';

const agentSchema = z
  .object({
    agent_id: z.string(),
    name: z.string(),
    webhook_url: z.string(),
    webhook_secret: z.string().optional().openapi({ description: 'Returned only once' }),
    created_at: time,
    updated_at: time,
  })
  .openapi('VoicebipAgent');

const common = { tags: ['Voicebip'], security };

const listRoute = createRoute({
  ...common,
  method: 'get',
  path: '/',
  summary: 'List agents (assistants on `/v1.0`)',
  request: { query: pageQuery },
  responses: {
    ...answer(z.object({ agents: z.array(agentSchema), next_page_token: z.string().optional() }), 'Newest first'),
    ...failures(),
  },
});

const createAgentRoute = createRoute({
  ...common,
  method: 'post',
  path: '/',
  summary: 'Create an agent, a bring-your-own-model webhook',
  request: {
    headers: idempotencyHeaders,
    ...body(
      z.object({
        name: z.string().max(255).transform(wellFormed).default(''),
        webhook_url: z.string().max(2000),
        webhook_secret: webhookSecret.optional(),
      }),
    ),
  },
  responses: { ...answer(agentSchema, 'The agent with its secret'), ...failures(...KEY_REFUSALS) },
});

export const voicebipAgentRoutes = newRouter();

voicebipAgentRoutes.openapi(listRoute, async (c) => {
  const filters = { agents: true };
  const request = await pageRequest(c.req.valid('query'), filters);
  const page = await listAssistants(c.env, c.get('principal').customerId, request);
  return c.json({ agents: page.rows.map((row) => presentAgent(row)), ...(await nextToken(page, filters)) }, 200);
});

voicebipAgentRoutes.openapi(createAgentRoute, async (c) => {
  const { name, webhook_url: url, webhook_secret: secret = newWebhookSecret() } = c.req.valid('json');
  const made = await withIdempotencyKey(c, async () => {
    const at = microsOf(Date.now());
    const assistant: Assistant = {
      ...ASSISTANT_DEFAULTS,
      id: crypto.randomUUID(),
      customerId: c.get('principal').customerId,
      name,
      detail: '',
      webhookUrl: checkedTarget(c.env, url, 'webhook_url'),
      secretSealed: await sealSecret(c.env, secret),
      createdAt: at,
      updatedAt: at,
      deletedAt: null,
    };
    return { statements: [insertAssistant(c.env, assistant)], answer: presentAgent(assistant, secret) };
  });
  return c.json(made, 200);
});
