import { findResolved } from '../accounts.ts';
import { channelIo } from '../channel-io.ts';
import { storedIn, type Media } from '../../domain/content.ts';
import type { Message } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { openCopy, openFile, type OpenFile } from '../../storage/medias.ts';

/** A file of a message: stored here, or as its provider, or its own server, gives it now. */
export type MessageFile = { kind: 'stored'; file: OpenFile } | { kind: 'remote'; response: Response; type: string };

/** The file at one place of a message's medias: what is stored here, our copy of what a contact sent, or else what others give. */
export async function messageFile(
  env: Env,
  message: Message,
  index: number,
  headers: Headers,
): Promise<Result<MessageFile, Refusal>> {
  const { customerId, conversationId, id: messageId } = message;
  const wanted = message.medias[index];
  if (!wanted) return missing('the file does not exist');
  const stored = storedIn(wanted.providerRef);
  const file = stored
    ? await openFile(env, customerId, stored, headers)
    : await openCopy(env, { customerId, conversationId, messageId, index }, headers);
  if (file) return ok({ kind: 'stored', file });
  const response = await fetchElsewhere(env, message, wanted);
  if (!response) return missing('the file does not exist');
  return response.ok
    ? ok({ kind: 'remote', response, type: wanted.type })
    : missing('the provider did not return the file');
}

const missing = (problem: string) => err({ code: 'MEDIA_NOT_AVAILABLE', problem } as const);

async function fetchElsewhere(env: Env, { accountId, direction }: Message, wanted: Media): Promise<Response | null> {
  const io = channelIo(env);
  if (direction === 'outgoing')
    return io.mayRead(wanted.url) ? io.fetch(wanted.url, { redirect: 'manual' }).catch(() => null) : null;
  const resolved = wanted.providerRef === '' ? null : await findResolved(env, accountId);
  const failed = new Response(null, { status: 502 });
  return resolved && resolved.channel.fetchMedia(wanted, resolved.account, io).catch(() => failed);
}
