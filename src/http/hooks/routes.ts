import { createRoute, z } from '@hono/zod-openapi';
import { type AppContext, publicUrlOf } from '../context.ts';
import { ApiError, tooMany, valueOf } from '../errors.ts';
import { failures } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { findResolved, type ResolvedAccount } from '../../app/accounts.ts';
import { receiveHook } from '../../app/conversations/receive.ts';
import type { HookRequest } from '../../channels/contract.ts';

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

hookRoutes.openapi(hook('/{account_id}', 'A provider’s events: what contacts did'), receive);
hookRoutes.openapi(hook('/{account_id}/status', 'A provider’s status callbacks: what became of our sends'), receive);

hookRoutes.openapi(
  createRoute({
    tags: ['Provider hooks'],
    method: 'get',
    path: '/{account_id}',
    summary: 'Meta’s verification request, made once when the webhook is set up',
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

async function receive(c: AppContext): Promise<Response> {
  const resolved = await findHookAccount(c);
  valueOf(await receiveHook(c.env, resolved, await hookRequest(c), publicUrlOf(c)));
  const { status, body, contentType } = resolved.channel.acknowledgement;
  return new Response(body, { status, headers: contentType === null ? {} : { 'content-type': contentType } });
}

/** A malformed id is an unknown account (spec section 11). */
async function findHookAccount(c: AppContext): Promise<ResolvedAccount> {
  const resolved = await findResolved(c.env, c.req.param('account_id') ?? '');
  if (!resolved) throw new ApiError('CONVERSATION_ACCOUNT_NOT_FOUND');
  const { success } = await c.env.HOOK_LIMIT.limit({ key: resolved.account.id });
  if (!success) throw tooMany(10);
  return resolved;
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
