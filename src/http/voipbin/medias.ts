import { createRoute, z } from '@hono/zod-openapi';
import { valueOf } from '../errors.ts';
import { serveMessageFile } from '../medias/serve.ts';
import { failures, security, uuid } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { guardOf, readableConversation } from './access.ts';
import { messageFile } from '../../app/media/message-file.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';

const mediaRoute = createRoute({
  tags: ['Messages'],
  security,
  // A message's medias name this one path, whoever reads them.
  middleware: guardOf('owners'),
  method: 'get',
  path: '/{id}/messages/{message_id}/medias/{index}',
  summary: 'Download a file of a message; for managers and the owning agent',
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
  return serveMessageFile(valueOf(await messageFile(c.env, message, Number(index), c.req.raw.headers)));
});
