import { createRoute, z, type RouteHandler } from '@hono/zod-openapi';
import type { AppEnv } from '../context.ts';
import { ApiError, valueOf } from '../errors.ts';
import { withIdempotencyKey } from '../once.ts';
import { answer, body, failures, idempotencyHeaders, KEY_REFUSALS, idParam, security, uuid } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { guardOf, readableConversation, type Access } from './access.ts';
import { participantSchema } from './schemas/conversation.ts';
import { addedParticipantSchema } from './schemas/participants.ts';
import { addParticipant, removeAddress, removeParticipant } from '../../app/conversations/participants.ts';
import { peopleOf } from '../../domain/conversation/identity/participants.ts';
import { presentPerson } from '../../dialects/voipbin/conversation.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';

const common = { tags: ['Participants'], security };

const listRoute = (access: Access) =>
  createRoute({
    ...common,
    middleware: guardOf(access),
    method: 'get',
    path: '/{id}/participants',
    summary: 'List the participants of a conversation',
    request: idParam,
    responses: {
      ...answer(z.object({ result: z.array(participantSchema) }), 'In the order in which they were added'),
      ...failures('PERMISSION_DENIED', 'CONVERSATION_NOT_FOUND'),
    },
  });

const addRoute = createRoute({
  ...common,
  middleware: guardOf('managers'),
  method: 'post',
  path: '/{id}/participants',
  summary: 'Add a participant with one or more addresses',
  description:
    'If a participant of this conversation already has one of the addresses, it gets the others. 409 ADDRESS_TAKEN names the other open conversations that have one of them.',
  request: { ...idParam, headers: idempotencyHeaders, ...body(addedParticipantSchema) },
  responses: {
    ...answer(participantSchema, 'The participant'),
    ...failures(
      'PERMISSION_DENIED',
      'CONVERSATION_NOT_FOUND',
      'PARTICIPANT_NOT_FOUND',
      'CONVERSATION_CLOSED',
      'ADDRESS_TAKEN',
      ...KEY_REFUSALS,
    ),
  },
});

const removeRoute = createRoute({
  ...common,
  middleware: guardOf('managers'),
  method: 'delete',
  path: '/{id}/participants/{participant_id}',
  summary:
    'Remove a participant or one of its addresses, but not the last one; later messages from there open another conversation',
  request: {
    params: z.object({ id: uuid, participant_id: uuid }),
    query: z.object({
      address: z
        .string()
        .max(255)
        .optional()
        .openapi({ description: 'The `target` of the address to remove; if absent, the participant is removed' }),
    }),
  },
  responses: {
    ...answer(participantSchema, 'The removed participant'),
    ...failures('PERMISSION_DENIED', 'CONVERSATION_NOT_FOUND', 'PARTICIPANT_NOT_FOUND'),
  },
});

/** Read by the owning agent too; changed by managers alone. */
export function participantRoutes(access: Access) {
  const routes = newRouter();
  routes.openapi(listRoute(access), async (c) => {
    const state = await readableConversation(c, c.req.valid('param').id);
    return c.json({ result: peopleOf(state).map((each) => presentPerson(state.id, each)) }, 200);
  });
  if (access !== 'managers') return routes;
  routes.openapi(addRoute, addOne);
  routes.openapi(removeRoute, removeOne);
  return routes;
}

const addOne: RouteHandler<typeof addRoute, AppEnv> = async (c) => {
  const { id } = c.req.valid('param');
  const { move, preferred_channel: preferredChannel, ...person } = c.req.valid('json');
  const { customerId } = c.get('principal');
  // No more is kept under the key: who is erased must not come back with the answer to a repeat.
  const added = await withIdempotencyKey(c, async () => {
    const state = await readableConversation(c, id);
    const participant = valueOf(await addParticipant(c.env, state, { ...person, preferredChannel }, move));
    return { answer: { id: participant.id } };
  });
  const state = valueOf(await callObject(() => getConversation(c.env, id).read(customerId)));
  const found = peopleOf(state).find((each) => each.id === added.id);
  if (!found) throw new ApiError('PARTICIPANT_NOT_FOUND');
  return c.json(presentPerson(id, found), 200);
};

const removeOne: RouteHandler<typeof removeRoute, AppEnv> = async (c) => {
  const { id, participant_id } = c.req.valid('param');
  const { address } = c.req.valid('query');
  const removed =
    address === undefined
      ? await removeParticipant(c.env, c.get('principal').customerId, id, participant_id)
      : await removeAddress(c.env, await readableConversation(c, id), participant_id, address);
  return c.json(presentPerson(id, valueOf(removed)), 200);
};
