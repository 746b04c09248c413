import { EmailMessage } from 'cloudflare:email';
import type { ChannelIo } from '../channels/contract.ts';
import { SANDBOX_ORIGIN, sandboxFetch, type Phone } from '../channels/sandbox/provider.ts';
import { storedIn, type Media } from '../domain/content.ts';
import { configOf } from '../env.ts';
import { SECOND } from '../domain/time.ts';
import { readAtMost } from '../security/bounded-body.ts';
import { openFile } from '../storage/medias.ts';
import { receiveOnPhone, takeFault } from '../storage/sandbox.ts';
import { checkTarget } from '../webhooks/guard.ts';

/** Shorter than the claim's lease (domain/conversation/delivery/sends.ts), so that an attempt reports before it is given up. */
const PROVIDER_TIMEOUT_MS = 10 * SECOND;

/** The world outside as channel adapters see it: real providers over the network, the sandbox in this Worker. */
export function channelIo(env: Env): ChannelIo {
  const config = configOf(env);
  return {
    fetch: (url, init) => (url.startsWith(`${SANDBOX_ORIGIN}/`) ? sandboxFetch(phoneIn(env), init) : fetch(url, init)),
    bases: {
      line: config.LINE_API_BASE,
      lineData: config.LINE_DATA_API_BASE,
      twilio: config.TWILIO_API_BASE,
      telnyx: config.TELNYX_API_BASE,
      meta: config.META_GRAPH_BASE,
      sandbox: SANDBOX_ORIGIN,
    },
    mayRead: (url) => mayRead(env, url),
    sendMail: async ({ from, to, raw }) => (await env.EMAIL.send(new EmailMessage(from, to, streamOf(raw)))).messageId,
    readFile: (media, customerId, maxBytes) => readFile(env, media, customerId, maxBytes),
    timeoutMs: PROVIDER_TIMEOUT_MS,
  };
}

const phoneIn = (env: Env): Phone => ({
  receive: (message) => receiveOnPhone(env, message),
  takeFault: (accountId) => takeFault(env, accountId),
});

const mayRead = (env: Env, url: string): boolean => checkTarget(url, configOf(env).ALLOW_PRIVATE_TARGETS).ok;

const streamOf = (raw: string | Uint8Array): ReadableStream | string =>
  typeof raw === 'string' ? raw : new Blob([new Uint8Array(raw)]).stream();

/**
 * What is stored here, or at the sender's URL. Null when it is larger, or is not there.
 * @throws while nothing can be said of it.
 */
async function readFile(env: Env, media: Media, customerId: string, maxBytes: number): Promise<Uint8Array | null> {
  const id = storedIn(media.providerRef);
  if (id === null) return mayRead(env, media.url) ? readRemote(media.url, maxBytes) : null;
  const file = await openFile(env, customerId, id, new Headers());
  return file === null || file.size > maxBytes ? null : new Uint8Array(await file.object.arrayBuffer());
}

async function readRemote(url: string, maxBytes: number): Promise<Uint8Array | null> {
  const response = await fetch(url, { signal: AbortSignal.timeout(PROVIDER_TIMEOUT_MS) });
  if (response.ok) return readAtMost(response.body, maxBytes);
  if (response.status >= 500 || response.status === 429)
    throw new Error(`the file's server answered ${response.status}`);
  return null;
}
