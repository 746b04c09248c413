import type { Channel, ChannelIo } from '../channels/contract.ts';
import type { Attached } from './medias/attach.ts';
import { SECOND } from '../domain/time.ts';
import { channelIo } from '../sandbox/channel-io.ts';

/** The sender waits for it. */
const ASK_MS = 2 * SECOND;

/**
 * A file that is larger than its channel takes, as far as its own server tells beforehand; null where it does not tell. Asked only on
 * channels that would accept the message and fail it later.
 */
export async function tooLarge(
  env: Env,
  channel: Channel,
  attached: Attached[],
): Promise<{ field: string; problem: string } | null> {
  for (const [index, { media, size: known }] of attached.entries()) {
    const { type, url } = media;
    const most = channel.maxFileBytes?.(type) ?? null;
    const size = most === null ? 0 : (known ?? (await sizeOf(channelIo(env), url)));
    if (most !== null && size > most) {
      const problem = `leads to ${size} bytes, and ${channel.label} takes at most ${most} of ${type}`;
      return { field: `medias.${index}.url`, problem };
    }
  }
  return null;
}

async function sizeOf(io: ChannelIo, url: string): Promise<number> {
  if (!io.mayRead(url)) return 0;
  try {
    const answer = await io.fetch(url, { method: 'HEAD', redirect: 'manual', signal: AbortSignal.timeout(ASK_MS) });
    return answer.ok ? Number(answer.headers.get('content-length') ?? 0) || 0 : 0;
  } catch {
    return 0;
  }
}
