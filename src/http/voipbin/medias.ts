import { createRoute, z } from '@hono/zod-openapi';
import { ApiError, valueOf } from '../errors.ts';
import { failures, security, uuid } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { guardOf, readableConversation } from './access.ts';
import { openCopy } from '../../storage/medias.ts';
import { HARMLESS, serveFile } from '../medias/serve.ts';
import { channelOf } from '../../channels/registry.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
import { channelIo } from '../../sandbox/channel-io.ts';
import { findAnyAccount } from '../../storage/accounts.ts';

const mediaRoute = createRoute({
  tags: ['Messages'],
  security,
  // A message's medias name this one path, whoever reads them.
  middleware: guardOf('owners'),
  method: 'get',
  path: '/{id}/messages/{message_id}/medias/{index}',
  summary:
    'A file that a contact sent: our copy of it, or read through from its provider; for managers and the owning agent',
  request: {
    params: z.object({ id: uuid, message_id: uuid, index: z.string().regex(/^\d{1,2}$/, 'must be 0 to 99') }),
  },
  responses: {
    200: {
      description: 'The file',
      content: { 'application/octet-stream': { schema: z.string().openapi({ format: 'binary' }) } },
    },
    ...failures('PERMISSION_DENIED', 'CONVERSATION_MESSAGE_NOT_FOUND', 'MEDIA_NOT_AVAILABLE'),
  },
});

export const mediaRoutes = newRouter();

mediaRoutes.openapi(mediaRoute, async (c) => {
  const { message_id, index } = c.req.valid('param');
  const { id, customerId } = await readableConversation(c, c.req.valid('param').id);
  const message = valueOf(await callObject(() => getConversation(c.env, id).readMessage(customerId, message_id)));
  const wanted = message.medias[Number(index)];
  const place = { customerId, conversationId: id, messageId: message_id, index: Number(index) };
  const copy = wanted && (await openCopy(c.env, place, c.req.raw.headers));
  if (copy) return serveFile(copy);
  const account = await findAnyAccount(c.env, message.accountId);
  const channel = account && channelOf(account.type, account.providerData);
  if (!wanted || wanted.providerRef === '' || !account || !channel)
    throw new ApiError('MEDIA_NOT_AVAILABLE', 'there is no such file');
  const file = await channel.fetchMedia(wanted, account, channelIo(c.env)).catch(() => null);
  if (!file?.ok) throw new ApiError('MEDIA_NOT_AVAILABLE', 'the provider does not give the file');
  return new Response(file.body, { headers: mediaHeaders(file, wanted.type) });
});

/** A contact's file must never run as a page of ours. */
const mediaHeaders = (file: Response, type: string): Record<string, string> => ({
  'content-type': file.headers.get('content-type') ?? type,
  'content-disposition': 'attachment',
  ...HARMLESS,
});
