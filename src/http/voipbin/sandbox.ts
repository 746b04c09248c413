import { createRoute, z } from '@hono/zod-openapi';
import { type AppContext, publicUrlOf } from '../context.ts';
import { ApiError, invalidField } from '../errors.ts';
import { allow } from '../middleware/authenticate.ts';
import { idempotencyOf, withIdempotencyKey } from '../once.ts';
import { answer, body, failures, idempotencyHeaders, KEY_REFUSALS, uuid, security } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { pageQuery, pageRequest, pageSchema, presentPage } from './pages.ts';
import { resolvedOf, type ResolvedAccount } from '../../app/accounts.ts';
import { receiveInbound } from '../../app/conversations/receive.ts';
import { presentOnPhone } from '../../dialects/voipbin/sandbox.ts';
import { normalizeTel } from '../../domain/addresses.ts';
import { MAX_MEDIAS, MAX_TEXT_LENGTH, outgoingMediaSchema, wellFormed } from '../../domain/content.ts';
import { utf8 } from '../../security/encoding.ts';
import { findAccount, type Account } from '../../storage/accounts.ts';
import { listOnPhone, setFault } from '../../storage/sandbox.ts';

const common = { tags: ['Sandbox'], security, middleware: allow('manager-or-admin') };
const accountId = uuid;

const inboundSchema = z
  .object({
    account_id: accountId,
    from: z.string().min(1).max(64).openapi({ example: '+15559876543' }),
    text: z.string().max(MAX_TEXT_LENGTH).transform(wellFormed).default(''),
    medias: z.array(outgoingMediaSchema).max(MAX_MEDIAS).default([]),
    echo: z.boolean().default(false).openapi({
      description:
        'If true, simulates the business’s own phone: a message to the contact `from`, which counts as a takeover',
    }),
  })
  .openapi('SandboxInbound');

const faultsSchema = z
  .object({
    account_id: accountId,
    count: z.number().int().min(0).max(1000).openapi({ description: '0 clears the fault' }),
    kind: z.enum(['error', 'reject', 'timeout', 'throttle']),
    retry_after: z.number().int().min(0).max(3600).optional().openapi({ description: 'Seconds; only for `throttle`' }),
  })
  .openapi('SandboxFaults');

const phoneSchema = z
  .object({
    id: z.uuid(),
    message_id: z.string(),
    conversation_id: z.string(),
    from: z.string(),
    to: z.string(),
    text: z.string(),
    medias: z.array(z.object({ type: z.string(), url: z.string() })),
    tm_create: z.string(),
  })
  .openapi('SandboxMessage');

const inboundRoute = createRoute({
  ...common,
  method: 'post',
  path: '/inbound',
  summary: 'Simulate an inbound message on a sandbox account',
  request: { headers: idempotencyHeaders, ...body(inboundSchema) },
  responses: {
    ...answer(z.object({ message_id: z.string(), conversation_id: z.string() }), 'The message and its conversation'),
    ...failures('PERMISSION_DENIED', ...KEY_REFUSALS),
  },
});

const outboxRoute = createRoute({
  ...common,
  method: 'get',
  path: '/outbox',
  summary: 'List the messages that the contact’s phone would have received',
  request: { query: pageQuery.extend({ account_id: accountId }) },
  responses: { ...answer(pageSchema(phoneSchema), 'Newest first'), ...failures('PERMISSION_DENIED') },
});

const faultsRoute = createRoute({
  ...common,
  method: 'post',
  path: '/faults',
  summary: 'Make the next sends of a sandbox account fail, time out or be throttled',
  request: { headers: idempotencyHeaders, ...body(faultsSchema) },
  responses: { ...answer(faultsSchema, 'The fault'), ...failures('PERMISSION_DENIED', ...KEY_REFUSALS) },
});

export const sandboxRoutes = newRouter();

sandboxRoutes.openapi(inboundRoute, async (c) => {
  const { account_id, ...message } = c.req.valid('json');
  const landed = await withIdempotencyKey(c, async () => {
    const resolved = await sandboxAccount(c, account_id);
    const { account, channel } = resolved;
    const scope = await idempotencyOf(c);
    const id = scope ? `${scope.key} ${scope.fingerprint}` : crypto.randomUUID();
    checkSender(message.from, account);
    const request = { method: 'POST', url: '', headers: new Headers(), body: utf8(JSON.stringify({ id, ...message })) };
    const parsed = channel.parse(request, account, Date.now());
    const inbound = parsed.ok ? parsed.value.inbound[0] : undefined;
    if (!inbound) throw new ApiError('INVALID_ARGUMENT', parsed.ok ? 'the message is empty' : parsed.error);
    const { messageId, conversationId } = await receiveInbound(c.env, resolved, inbound, publicUrlOf(c));
    return { answer: { message_id: messageId, conversation_id: conversationId } };
  });
  return c.json(landed, 200);
});

sandboxRoutes.openapi(outboxRoute, async (c) => {
  const query = c.req.valid('query');
  const account = await findAccount(c.env, c.get('principal').customerId, query.account_id);
  const page = account ? await listOnPhone(c.env, account.id, pageRequest(query)) : { rows: [], next: null };
  return c.json(presentPage(page, presentOnPhone), 200);
});

sandboxRoutes.openapi(faultsRoute, async (c) => {
  const wanted = c.req.valid('json');
  const set = await withIdempotencyKey(c, async () => {
    const { account } = await sandboxAccount(c, wanted.account_id);
    const { kind, count: remaining, retry_after: retryAfterS = null } = wanted;
    const fault = { accountId: account.id, kind, remaining, retryAfterS };
    return { statements: [setFault(c.env, fault)], answer: wanted };
  });
  return c.json(set, 200);
});

/** A contact has a telephone number, and not the account's own. */
function checkSender(from: string, account: Account): void {
  const number = normalizeTel(from);
  if (number === null) throw invalidField('from', 'must be a telephone number in E.164 form, for example +15559876543');
  if (number === account.providerData['number']) throw invalidField('from', 'must not be the account’s own number');
}

async function sandboxAccount(c: AppContext, id: string): Promise<ResolvedAccount> {
  const resolved = resolvedOf(await findAccount(c.env, c.get('principal').customerId, id));
  if (!resolved) throw invalidField('account_id', 'is not one of your accounts');
  if (resolved.account.providerData['provider'] !== 'sandbox')
    throw invalidField('account_id', 'is not a sandbox account');
  return resolved;
}
