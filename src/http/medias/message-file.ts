import { ApiError } from '../errors.ts';
import { HARMLESS, serveFile } from './serve.ts';
import { channelOf } from '../../channels/registry.ts';
import { storedIn, type Media } from '../../domain/content.ts';
import type { Message } from '../../domain/conversation/state.ts';
import { channelIo } from '../../sandbox/channel-io.ts';
import { findAnyAccount } from '../../storage/accounts.ts';
import { openCopy, openFile } from '../../storage/medias.ts';

/** A file of a message: what is stored here, our copy of what a contact sent, or else what its provider or its own server gives. */
export async function messageFile(env: Env, message: Message, index: number, headers: Headers): Promise<Response> {
  const { customerId, conversationId, id: messageId } = message;
  const wanted = message.medias[index];
  const stored = wanted && storedIn(wanted.providerRef);
  const kept =
    wanted &&
    (stored
      ? await openFile(env, customerId, stored, headers)
      : await openCopy(env, { customerId, conversationId, messageId, index }, headers));
  if (kept) return serveFile(kept);
  const file = wanted && (await fetchElsewhere(env, message, wanted));
  if (!file) throw new ApiError('MEDIA_NOT_AVAILABLE', 'the file does not exist');
  if (!file.ok) throw new ApiError('MEDIA_NOT_AVAILABLE', 'the provider did not return the file');
  return new Response(file.body, { headers: mediaHeaders(file, wanted.type) });
}

async function fetchElsewhere(env: Env, { accountId, direction }: Message, wanted: Media): Promise<Response | null> {
  const io = channelIo(env);
  if (direction === 'outgoing')
    return io.mayRead(wanted.url) ? io.fetch(wanted.url, { redirect: 'manual' }).catch(() => null) : null;
  const account = await findAnyAccount(env, accountId);
  const channel = account && channelOf(account.type, account.providerData);
  if (wanted.providerRef === '' || !channel) return null;
  const gone = new Response(null, { status: 502 });
  return channel.fetchMedia(wanted, account, io).catch(() => gone);
}

/** A contact's file must never run as a page of ours. */
const mediaHeaders = (file: Response, type: string): Record<string, string> => ({
  'content-type': file.headers.get('content-type') ?? type,
  'content-disposition': 'attachment',
  ...HARMLESS,
});
