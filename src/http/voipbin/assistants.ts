import { createRoute, type z } from '@hono/zod-openapi';
import type { AppContext } from '../context.ts';
import { ApiError } from '../errors.ts';
import { allow } from '../middleware/authenticate.ts';
import { withIdempotencyKey } from '../once.ts';
import { answer, body, failures, idempotencyHeaders, KEY_REFUSALS, idParam, security } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { pageQuery, pageRequest, pageSchema, presentPage } from './pages.ts';
import { presentAssistant } from '../../dialects/voipbin/automation.ts';
import { assistantChangesSchema, assistantSchema, newAssistantSchema } from './schemas/automation.ts';
import { checkedTarget } from './webhook-target.ts';
import { microsOf } from '../../domain/time.ts';
import { newWebhookSecret } from '../../security/tokens.ts';
import {
  findAssistant,
  insertAssistant,
  listAssistants,
  sealSecret,
  updateAssistant,
  type Assistant,
  type AssistantChanges,
} from '../../storage/assistants.ts';

const common = { tags: ['Assistants'], security, middleware: allow('manager-or-admin') };
const one = failures('PERMISSION_DENIED', 'ASSISTANT_NOT_FOUND');

const listRoute = createRoute({
  ...common,
  method: 'get',
  path: '/',
  summary: 'List assistants',
  request: { query: pageQuery },
  responses: { ...answer(pageSchema(assistantSchema), 'Newest first'), ...failures('PERMISSION_DENIED') },
});

const createAssistantRoute = createRoute({
  ...common,
  method: 'post',
  path: '/',
  summary: 'Create an assistant, a webhook of yours that answers contacts; its secret is returned only once',
  description:
    'Parley posts `{"type": "assistant_turn", "data": {turn_id, conversation, messages, history}}` under the headers of Standard ' +
    'Webhooks 1.0. A 2xx with `{"text": "…"}` is sent to the contact, `{"handoff": true}` hands the conversation to people, an empty ' +
    'answer says nothing. Anything else, more than 256 KB, or no answer in `timeout_ms` is a failure, and is tried again.',
  request: { headers: idempotencyHeaders, ...body(newAssistantSchema) },
  responses: {
    ...answer(assistantSchema, 'The assistant with its secret'),
    ...failures('PERMISSION_DENIED', ...KEY_REFUSALS),
  },
});

const readRoute = createRoute({
  ...common,
  method: 'get',
  path: '/{id}',
  summary: 'Get an assistant',
  request: idParam,
  responses: { ...answer(assistantSchema, 'The assistant'), ...one },
});

const updateRoute = createRoute({
  ...common,
  method: 'put',
  path: '/{id}',
  summary: 'Change an assistant',
  request: { ...idParam, ...body(assistantChangesSchema) },
  responses: { ...answer(assistantSchema, 'The assistant'), ...one },
});

const deleteRoute = createRoute({
  ...common,
  method: 'delete',
  path: '/{id}',
  summary: 'Delete an assistant: conversations that it should answer are handed to people',
  request: idParam,
  responses: { ...answer(assistantSchema, 'The deleted resource'), ...one },
});

export const assistantRoutes = newRouter();

assistantRoutes.openapi(listRoute, async (c) => {
  const page = await listAssistants(c.env, c.get('principal').customerId, pageRequest(c.req.valid('query')));
  return c.json(
    presentPage(page, (assistant) => presentAssistant(assistant)),
    200,
  );
});

assistantRoutes.openapi(createAssistantRoute, async (c) => {
  const { webhook_secret: secret = newWebhookSecret(), ...wanted } = c.req.valid('json');
  const made = await withIdempotencyKey(c, async () => {
    const at = microsOf(Date.now());
    const assistant: Assistant = {
      id: crypto.randomUUID(),
      customerId: c.get('principal').customerId,
      name: wanted.name,
      detail: wanted.detail,
      webhookUrl: checkedTarget(c.env, wanted.webhook_url, 'webhook_url'),
      secretSealed: await sealSecret(c.env, secret),
      debounceMs: wanted.debounce_ms,
      timeoutMs: wanted.timeout_ms,
      maxFailures: wanted.max_failures,
      history: wanted.history,
      createdAt: at,
      updatedAt: at,
      deletedAt: null,
    };
    return { statements: [insertAssistant(c.env, assistant)], answer: presentAssistant(assistant, secret) };
  });
  return c.json(made, 200);
});

assistantRoutes.openapi(readRoute, async (c) => c.json(presentAssistant(await mine(c, c.req.valid('param').id)), 200));

assistantRoutes.openapi(updateRoute, async (c) => {
  const assistant = await mine(c, c.req.valid('param').id);
  const wanted = c.req.valid('json');
  const changes = await changesOf(c.env, wanted);
  const updatedAt = microsOf(Date.now());
  await updateAssistant(c.env, assistant.id, changes, updatedAt);
  return c.json(presentAssistant({ ...assistant, ...changes, updatedAt }, wanted.webhook_secret), 200);
});

assistantRoutes.openapi(deleteRoute, async (c) => {
  const assistant = await mine(c, c.req.valid('param').id);
  const deletedAt = microsOf(Date.now());
  await updateAssistant(c.env, assistant.id, { deletedAt }, deletedAt);
  return c.json(presentAssistant({ ...assistant, updatedAt: deletedAt, deletedAt }), 200);
});

async function changesOf(env: Env, wanted: z.infer<typeof assistantChangesSchema>): Promise<AssistantChanges> {
  const { name, detail, webhook_url: url, webhook_secret: secret, history } = wanted;
  return {
    ...(name === undefined ? {} : { name }),
    ...(detail === undefined ? {} : { detail }),
    ...(url === undefined ? {} : { webhookUrl: checkedTarget(env, url, 'webhook_url') }),
    ...(secret === undefined ? {} : { secretSealed: await sealSecret(env, secret) }),
    ...(wanted.debounce_ms === undefined ? {} : { debounceMs: wanted.debounce_ms }),
    ...(wanted.timeout_ms === undefined ? {} : { timeoutMs: wanted.timeout_ms }),
    ...(wanted.max_failures === undefined ? {} : { maxFailures: wanted.max_failures }),
    ...(history === undefined ? {} : { history }),
  };
}

async function mine(c: AppContext, id: string): Promise<Assistant> {
  const assistant = await findAssistant(c.env, c.get('principal').customerId, id);
  if (!assistant) throw new ApiError('ASSISTANT_NOT_FOUND');
  return assistant;
}
