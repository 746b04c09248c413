import { runDurableObjectAlarm } from 'cloudflare:test';
import { env, exports } from 'cloudflare:workers';
import { SignJWT } from 'jose';
import { vi } from 'vitest';
import { outbox } from './faults.ts';
import { callWith, newHub, ok, ORIGIN, type Hub, type Json } from './hub.ts';
import { openSocket } from './live.ts';
import { readMail } from '../../src/channels/email/read-mail.ts';

const SITE = 'https://shop.example';
const SECRET = 'a-secret-of-the-site-with-32-letters';

export let hub: Hub;
export let account: Json;
export let own: string;

/** Creates a customer with a web chat and a mailbox. Called once in a test file. */
export async function openShop(): Promise<void> {
  hub = await newHub();
  account = await ok(
    hub.call('POST', '/v1.0/conversation_accounts', {
      type: 'chat',
      name: 'Shop',
      secret: SECRET,
      provider_data: { allowed_origins: [SITE] },
    }),
  );
  own = `support-${crypto.randomUUID().slice(0, 8)}@shop.example`;
  await ok(hub.call('POST', '/v1.0/conversation_accounts', { type: 'email', provider_data: { address: own } }));
}

let from = 0;
export const session = (body: Json = {}) =>
  callWith(null)('POST', `/chat/${account.id}/sessions`, body, {
    origin: SITE,
    'cf-connecting-ip': `10.0.0.${(from += 1)}`,
  });

export async function visitor(body: Json = {}) {
  const made = await ok(session(body));
  const { visitor_token: token, conversation_id } = made;
  const call = callWith(token);
  return {
    token,
    conversation_id,
    call,
    say: (text: string, client_id = crypto.randomUUID()) =>
      ok(call('POST', `/chat/${account.id}/messages`, { text, client_id })),
    rows: async (): Promise<Json[]> => (await ok(call('GET', `/chat/${account.id}/messages?page_size=100`))).result,
    sees: async (): Promise<string[]> => {
      const { result } = await ok(call('GET', `/chat/${account.id}/messages?page_size=100`));
      return result.map(({ text }: Json) => text).toReversed();
    },
    listen: (after?: number) =>
      openSocket(`/chat/${account.id}/ws${after === undefined ? '' : `?after=${after}`}`, {
        origin: SITE,
        'sec-websocket-protocol': `visitor.${token}, parley.v1`,
      }),
  };
}

export const answer = (id: string, body: Json): Promise<Json> =>
  ok(hub.call('POST', `/v1.0/conversations/${id}/messages`, typeof body === 'string' ? { text: body } : body));

export const conv = (id: string): Promise<Json> => ok(hub.call('GET', `/v1.0/conversations/${id}`));

export const vouch = (claims: Json, secret = SECRET, life = '5m'): Promise<string> =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime(life)
    .sign(new TextEncoder().encode(secret));

export async function wait(id: string, ms: number): Promise<void> {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms });
  await runDurableObjectAlarm(env.CONVERSATION.getByName(id));
  vi.useRealTimers();
}
export const mailsTo = (address: string) => outbox.filter(({ to }) => to === address);
export const settle = () => new Promise((resolve) => setTimeout(resolve, 400));
export const replyOf = (raw = '') => /^Reply-To:\s*<?([^<>\r\n]+)>?/im.exec(raw)?.[1] ?? '';

/** The path of the verification link that was last mailed to the address. */
export async function linkMailed(address: string): Promise<string> {
  const sent = outbox.findLast(({ to }) => to === address);
  const read = await readMail(new TextEncoder().encode(sent?.raw), own);
  return /\/chat\/\S+\/verify\?token=[\w.-]+/.exec(read.ok ? read.value.text : '')?.[0] ?? '';
}
export const opened = (path: string, method: string) =>
  exports.default.fetch(`${ORIGIN}${path}`, { method, redirect: 'manual' });

export async function proveByMail(who: Awaited<ReturnType<typeof visitor>>, email: string): Promise<number> {
  await ok(who.call('POST', `/chat/${account.id}/verifications`, { email }));
  return (await opened(await linkMailed(email), 'POST')).status;
}
