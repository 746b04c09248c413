import { createRoute, z } from '@hono/zod-openapi';
import { receiveInbound } from './take-in.ts';
import type { AppContext } from '../context.ts';
import { ApiError, tooMany } from '../errors.ts';
import { failures } from '../openapi.ts';
import { publicUrlOf } from '../origin.ts';
import { newRouter } from '../router.ts';
import { providerSignal, type Channel, type HookContent, type HookRequest } from '../../channels/contract.ts';
import { channelOf } from '../../channels/registry.ts';
import { isUuid } from '../../domain/ids.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
import { log } from '../../log.ts';
import { findAnyAccount, findSiblings, type Account } from '../../storage/accounts.ts';

const hook = (path: string, summary: string) =>
  createRoute({
    tags: ['Provider hooks'],
    method: 'post',
    path,
    summary,
    description:
      'Signed by the provider over the raw bytes. A 2xx means stored; a redelivery is answered 2xx and changes nothing.',
    request: { params: z.object({ account_id: z.string() }) },
    responses: {
      200: { description: 'Stored' },
      ...failures('INVALID_HOOK_BODY', 'INVALID_SIGNATURE', 'CONVERSATION_ACCOUNT_NOT_FOUND', 'PAYLOAD_TOO_LARGE'),
    },
  });

export const hookRoutes = newRouter();

hookRoutes.openapi(hook('/{account_id}', 'What contacts did, from a provider'), takeHook);
hookRoutes.openapi(hook('/{account_id}/status', 'What became of our sends, from a provider'), takeHook);

hookRoutes.openapi(
  createRoute({
    tags: ['Provider hooks'],
    method: 'get',
    path: '/{account_id}',
    summary: 'Meta’s question whether this webhook is ours, asked once when it is set up',
    request: { params: z.object({ account_id: z.string() }) },
    responses: {
      200: { description: 'The challenge', content: { 'text/plain': { schema: z.string() } } },
      ...failures('INVALID_SIGNATURE', 'CONVERSATION_ACCOUNT_NOT_FOUND'),
    },
  }),
  async (c) => {
    const { account, channel } = await findHookAccount(c);
    const challenge = await channel.challenge?.(await hookRequest(c), account);
    if (challenge) return c.text(challenge, 200);
    throw new ApiError('INVALID_SIGNATURE', 'the verify token is missing or wrong');
  },
);

async function takeHook(c: AppContext): Promise<Response> {
  const { account, channel } = await findHookAccount(c);
  const request = await hookRequest(c);
  if (!(await channel.verify(request, account, Date.now())))
    throw new ApiError('INVALID_SIGNATURE', 'the provider’s signature is missing or wrong');
  for (const receiver of [account, ...(await siblings(c.env, account, channel, request))]) {
    const parsed = channel.parse(request, receiver, Date.now());
    if (!parsed.ok) throw new ApiError('INVALID_HOOK_BODY', parsed.error);
    await store(c, receiver, channel, parsed.value);
  }
  const { status, body, contentType } = channel.acknowledgement;
  return new Response(body, { status, headers: contentType === null ? {} : { 'content-type': contentType } });
}

/**
 * The customer's other numbers or pages of the same app (its secret signs for all of them) that a request is about too. What is about
 * nobody's is said in the log: somebody has an account to make.
 */
async function siblings(env: Env, account: Account, channel: Channel, request: HookRequest): Promise<Account[]> {
  const about = channel.addressees?.(request);
  const others = [...new Set(about?.ids)].filter((id) => id !== account.providerData[about?.field ?? '']);
  if (!about || others.length === 0) return [];
  const named = await findSiblings(env, account, about.field, others);
  const found = named.filter(({ secret }) => secret === account.secret);
  const missing = others.filter((id) => !found.some(({ providerData }) => providerData[about.field] === id));
  if (missing.length > 0) log('warn', 'hook about unknown numbers', { account: account.id, count: missing.length });
  return found;
}

/** A malformed id is an unknown account (spec section 11). */
async function findHookAccount(c: AppContext): Promise<{ account: Account; channel: Channel }> {
  const id = (c.req.param('account_id') ?? '').toLowerCase();
  const account = isUuid(id) ? await findAnyAccount(c.env, id) : null;
  const channel = account && channelOf(account.type, account.providerData);
  if (!channel) throw new ApiError('CONVERSATION_ACCOUNT_NOT_FOUND');
  const { success } = await c.env.HOOK_LIMIT.limit({ key: account.id });
  if (!success) throw tooMany(10);
  return { account, channel };
}

/** Providers sign the URL that they called: behind PUBLIC_URL it is not the one that arrives here. */
async function hookRequest(c: AppContext): Promise<HookRequest> {
  const { pathname, search } = new URL(c.req.url);
  return {
    method: c.req.method,
    url: `${publicUrlOf(c)}${pathname}${search}`,
    headers: c.req.raw.headers,
    body: new Uint8Array(await c.req.arrayBuffer()),
  };
}

/** One after the other, by the provider's clock: what one contact said keeps its order. */
async function store(c: AppContext, account: Account, channel: Channel, content: HookContent): Promise<void> {
  const inOrder = content.inbound.toSorted((a, b) => a.occurredAt - b.occurredAt);
  for (const inbound of inOrder) await receiveInbound(c.env, account, channel, inbound, publicUrlOf(c));
  for (const { conversationId, deliveryId, news } of content.receipts) {
    if (!isUuid(conversationId)) continue;
    const told = { ...news, ...providerSignal(channel, news.error?.code) };
    await callObject(() =>
      getConversation(c.env, conversationId.toLowerCase()).receipt(account.customerId, deliveryId, told),
    );
  }
}
