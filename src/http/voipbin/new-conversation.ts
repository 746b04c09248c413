import { createRoute } from '@hono/zod-openapi';
import { valueOf } from '../errors.ts';
import { withIdempotencyKey } from '../once.ts';
import { answer, body, failures, idempotencyHeaders, KEY_REFUSALS, security } from '../openapi.ts';
import { publicUrlOf } from '../context.ts';
import { newRouter } from '../router.ts';
import { guardOf } from './access.ts';
import { conversationSchema } from './schemas/conversation.ts';
import { newConversationSchema } from './schemas/participants.ts';
import { openConversationWith } from '../../app/conversations/open.ts';
import { presentConversation } from '../../dialects/voipbin/conversation.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';

const createRouteOf = createRoute({
  tags: ['Conversations'],
  security,
  middleware: guardOf('managers'),
  method: 'post',
  path: '/',
  summary: 'Get the open conversation with these addresses, or create it',
  description:
    'If some of the addresses already belong to one open conversation, that conversation is returned and the other addresses are added to it. If they belong to two, 409 ADDRESS_TAKEN names both. A repeat with the same Idempotency-Key returns the conversation in its current state.',
  request: { headers: idempotencyHeaders, ...body(newConversationSchema) },
  responses: {
    ...answer(conversationSchema, 'The conversation'),
    ...failures('PERMISSION_DENIED', 'CONVERSATION_NOT_FOUND', 'ADDRESS_TAKEN', ...KEY_REFUSALS),
  },
});

export const newConversationRoutes = newRouter();

newConversationRoutes.openapi(createRouteOf, async (c) => {
  const { name, detail, participants } = c.req.valid('json');
  const { customerId } = c.get('principal');
  const people = participants.map(({ preferred_channel: preferredChannel, ...each }) => ({
    ...each,
    preferredChannel,
  }));
  const request = { customerId, name, detail, people, publicUrl: publicUrlOf(c) };
  // No more is kept under the key: who is erased must not come back with the answer to a repeat.
  const { id } = await withIdempotencyKey(c, async () => ({
    answer: { id: valueOf(await openConversationWith(c.env, request)).id },
  }));
  const made = valueOf(await callObject(() => getConversation(c.env, id).read(customerId)));
  return c.json(presentConversation(made), 200);
});
