import { SANDBOX_ORIGIN, sandboxFetch } from './provider.ts';
import type { ChannelIo } from '../channels/contract.ts';
import { configOf } from '../env.ts';
import { SECOND } from '../domain/time.ts';
import { checkTarget } from '../webhooks/guard.ts';

/** Shorter than the claim's lease (domain/conversation/sends.ts), so that an attempt reports before it is given up. */
const PROVIDER_TIMEOUT_MS = 10 * SECOND;

/** The world outside as channel adapters see it: real providers over the network, the sandbox in this Worker. */
export function channelIo(env: Env): ChannelIo {
  const config = configOf(env);
  return {
    fetch: (url, init) => (url.startsWith(`${SANDBOX_ORIGIN}/`) ? sandboxFetch(env, init) : fetch(url, init)),
    bases: {
      line: config.LINE_API_BASE,
      lineData: config.LINE_DATA_API_BASE,
      twilio: config.TWILIO_API_BASE,
      telnyx: config.TELNYX_API_BASE,
      meta: config.META_GRAPH_BASE,
      sandbox: SANDBOX_ORIGIN,
    },
    mayRead: (url) => checkTarget(url, config.ALLOW_PRIVATE_TARGETS).ok,
    timeoutMs: PROVIDER_TIMEOUT_MS,
  };
}
