import type { Channel, ChannelIo } from '../channels/contract.ts';
import type { Attached } from './medias/attach.ts';
import { SECOND } from '../domain/time.ts';
import { channelIo } from '../sandbox/channel-io.ts';

/** The sender waits for it. */
const ASK_MS = 2 * SECOND;

interface Problem {
  field: string;
  problem: string;
}

/**
 * A file that is larger than its channel takes, or all of them together, as far as their own servers tell beforehand; null where they
 * do not tell. Asked only on channels that would accept the message and fail it later.
 */
export async function tooLarge(env: Env, channel: Channel, attached: Attached[]): Promise<Problem | null> {
  const isLimited = channel.maxFilesBytes !== undefined || channel.maxFileBytes !== undefined;
  if (!isLimited || attached.length === 0) return null;
  const sizes = await Promise.all(attached.map((each) => sizeFor(env, channel, each)));
  const problems = attached.map((each, index) => problemOf(channel, each, index, sizes[index] ?? 0));
  return problems.find((problem) => problem !== null) ?? sumProblem(channel, sizes);
}

/** Bytes; 0 where nobody tells, or nothing depends on it. */
async function sizeFor(env: Env, channel: Channel, { media, size }: Attached): Promise<number> {
  const matters = channel.maxFilesBytes !== undefined || (channel.maxFileBytes?.(media.type) ?? null) !== null;
  return matters ? (size ?? (await sizeOf(channelIo(env), media.url))) : 0;
}

function problemOf(channel: Channel, { media: { type } }: Attached, index: number, size: number): Problem | null {
  const most = channel.maxFileBytes?.(type) ?? null;
  if (most === null || size <= most) return null;
  const problem = `has ${size} bytes; ${channel.label} accepts at most ${most} bytes for ${type}`;
  return { field: `medias.${index}.url`, problem };
}

function sumProblem({ maxFilesBytes, label }: Channel, sizes: number[]): Problem | null {
  const sum = sizes.reduce((total, size) => total + size, 0);
  if (maxFilesBytes === undefined || sum <= maxFilesBytes) return null;
  return {
    field: 'medias',
    problem: `have ${sum} bytes in all; ${label} accepts at most ${maxFilesBytes} bytes in one message`,
  };
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
