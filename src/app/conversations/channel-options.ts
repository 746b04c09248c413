import { openingByAddress } from './open.ts';
import { accountFor, findResolved, TYPE_OF, type ResolvedAccount } from '../accounts.ts';
import { channelIo } from '../channel-io.ts';
import type { AttachedMedia } from '../media/attach.ts';
import type { Channel, ChannelIo } from '../../channels/contract.ts';
import { overLimit } from '../../channels/limits.ts';
import type { ChannelOption, ContactAddress, Person, ChannelBinding } from '../../domain/conversation/state.ts';
import { bindingsOf, newBinding } from '../../domain/conversation/identity/bindings.ts';
import { addressText } from '../../domain/conversation/identity/participants.ts';
import type { ConversationState } from '../../domain/conversation/state.ts';
import { SECOND } from '../../domain/time.ts';
import { knownAccounts } from '../../storage/accounts.ts';

/** What is to be sent, as far as channels limit it. */
export interface OptionContent {
  text: string;
  attached: AttachedMedia[];
}

/** Every option that reaches a participant: the bindings that were used, and one for each address that never was. */
export async function channelOptionsOf(
  env: Env,
  state: ConversationState,
  { addresses }: Person,
  content: OptionContent,
): Promise<ChannelOption[]> {
  const texts = addresses.map(addressText);
  const used = bindingsOf(state).filter(({ peer }) => texts.includes(addressText(peer)));
  const unused = addresses.filter(
    ({ type, target }) => !used.some((binding) => binding.type === TYPE_OF[type] && binding.peer.target === target),
  );
  // Most conversations have no unused address and ask D1 nothing; the others still send while D1 is away.
  const accounts = unused.length === 0 ? [] : await knownAccounts(env, state.customerId).catch(() => []);
  const found = await Promise.all([
    ...used.map((binding) => usedOption(env, binding, content)),
    ...unused.map(async (one) => {
      const resolved = accountFor(accounts, one);
      return resolved && optionByAddress(env, resolved, one, content);
    }),
  ]);
  return found.filter((option) => option !== null);
}

/** Null where its account no longer exists. */
async function usedOption(env: Env, binding: ChannelBinding, content: OptionContent): Promise<ChannelOption | null> {
  const resolved = await findResolved(env, binding.accountId);
  return resolved && { binding, ...(await judgeContent(env, resolved, content)) };
}

async function optionByAddress(env: Env, resolved: ResolvedAccount, to: ContactAddress, content: OptionContent) {
  const binding = newBinding(await openingByAddress(env, resolved, to));
  return { binding, ...(await judgeContent(env, resolved, content)) };
}

/** An option without its binding: what the account and its channel say of the content. */
export async function judgeContent(
  env: Env,
  { account, channel }: ResolvedAccount,
  { text, attached }: OptionContent,
): Promise<Omit<ChannelOption, 'binding'>> {
  const medias = attached.map(({ media }) => media);
  const obstacle = overLimit(channel, text, medias) ?? (await tooLarge(env, channel, attached));
  return { obstacle, segments: channel.segments(text), fallsBack: account.fallback };
}

/** The sender waits for it. */
const SIZE_TIMEOUT_MS = 2 * SECOND;

type Problem = ChannelOption['obstacle'];

/**
 * A file that is larger than its channel accepts, or all of them together, as far as their servers tell beforehand; null where they do
 * not tell. Asked only on channels that would accept the message and fail it later.
 */
async function tooLarge(env: Env, channel: Channel, attached: AttachedMedia[]): Promise<Problem> {
  const isLimited = channel.maxFilesBytes !== undefined || channel.maxFileBytes !== undefined;
  if (!isLimited || attached.length === 0) return null;
  const sizes = await Promise.all(attached.map((each) => sizeFor(env, channel, each)));
  const problems = attached.map((each, index) => problemOf(channel, each, index, sizes[index] ?? 0));
  return problems.find((problem) => problem !== null) ?? sumProblem(channel, sizes);
}

/** Bytes; 0 where nobody tells, or nothing depends on it. */
async function sizeFor(env: Env, channel: Channel, { media, size }: AttachedMedia): Promise<number> {
  const matters = channel.maxFilesBytes !== undefined || (channel.maxFileBytes?.(media.type) ?? null) !== null;
  return matters ? (size ?? (await remoteSize(channelIo(env), media.url))) : 0;
}

function problemOf(channel: Channel, { media: { type } }: AttachedMedia, index: number, size: number): Problem {
  const most = channel.maxFileBytes?.(type) ?? null;
  if (most === null || size <= most) return null;
  const problem = `is ${size} bytes, and ${channel.label} accepts at most ${most} of ${type}`;
  return { field: `medias.${index}.url`, problem };
}

function sumProblem({ maxFilesBytes, label }: Channel, sizes: number[]): Problem {
  const sum = sizes.reduce((total, size) => total + size, 0);
  if (maxFilesBytes === undefined || sum <= maxFilesBytes) return null;
  return { field: 'medias', problem: `are ${sum} bytes, and ${label} accepts at most ${maxFilesBytes} in one message` };
}

async function remoteSize(io: ChannelIo, url: string): Promise<number> {
  if (!io.mayRead(url)) return 0;
  try {
    const signal = AbortSignal.timeout(SIZE_TIMEOUT_MS);
    const answer = await io.fetch(url, { method: 'HEAD', redirect: 'manual', signal });
    return answer.ok ? Number(answer.headers.get('content-length') ?? 0) || 0 : 0;
  } catch {
    return 0;
  }
}
