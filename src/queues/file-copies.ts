import type { FileCopyJob } from './jobs.ts';
import { channelIo } from '../app/channel-io.ts';
import type { Channel } from '../channels/contract.ts';
import { channelOf } from '../channels/registry.ts';
import { storedIn, type Media } from '../domain/content.ts';
import { log } from '../log.ts';
import { callObject, getConversation } from '../objects/stubs.ts';
import { findAnyAccount, type Account } from '../storage/accounts.ts';
import { dropCopies, hasCopy, keepCopy } from '../storage/medias.ts';

/** Bytes. Larger than any channel's limit, and equal to the upload limit. */
const MAX_COPY = 100 * 1024 * 1024;

/**
 * Copies the files of one message from the provider into R2, or removes our copies if the message was deleted. A failure is not reported:
 * the conversation queues the job again later. Idempotent.
 */
export async function copyFiles(env: Env, { conversationId, messageId }: FileCopyJob): Promise<void> {
  const order = await callObject(() => getConversation(env, conversationId).fileOrder(messageId));
  const location = { customerId: order?.customerId ?? '', conversationId, messageId };
  const isDeleted = order?.deletedAt !== null;
  if (order && isDeleted) await dropCopies(env, location);
  const isDone = !order || isDeleted || (await copyAll(env, order, location));
  if (!isDone) return log('warn', 'files not copied', { conversation: conversationId, message: messageId });
  await callObject(() => getConversation(env, conversationId).filesDone(messageId, isDeleted));
}

type FileOrder = NonNullable<Awaited<ReturnType<ReturnType<typeof getConversation>['fileOrder']>>>;

type CopyLocation = Parameters<typeof dropCopies>[1];

async function copyAll(env: Env, { accountId, medias }: FileOrder, location: CopyLocation): Promise<boolean> {
  const account = await findAnyAccount(env, accountId);
  const channel = account && channelOf(account.type, account.providerData);
  // The account is gone, and its credentials with it.
  if (!account || !channel) return true;
  const copied = await Promise.all(
    medias.map((media, index) => copyOne(env, account, channel, media, { ...location, index })),
  );
  return copied.every(Boolean);
}

/** True when nothing is left to do for this file. */
async function copyOne(
  env: Env,
  account: Account,
  channel: Channel,
  media: Media,
  location: CopyLocation & { index: number },
): Promise<boolean> {
  if (media.providerRef === '' || storedIn(media.providerRef) !== null || (await hasCopy(env, location))) return true;
  const file = await channel.fetchMedia(media, account, channelIo(env)).catch(() => null);
  // The provider no longer has the file, or never had it: asking again cannot help.
  if (file?.status === 404 || file?.status === 410) return true;
  if (!file?.ok || !file.body) return false;
  return keepCopy(
    env,
    location,
    { type: file.headers.get('content-type') ?? media.type, filename: media.filename },
    file,
    MAX_COPY,
  );
}
