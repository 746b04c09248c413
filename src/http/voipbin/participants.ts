import { createRoute, z, type RouteHandler } from '@hono/zod-openapi';
import type { AppContext, AppEnv } from '../context.ts';
import { ApiError, invalidField, valueOf } from '../errors.ts';
import { withCustomerLock } from '../exclusively.ts';
import { moveAddresses } from '../join-conversations.ts';
import { withIdempotencyKey } from '../once.ts';
import { answer, body, failures, idempotencyHeaders, KEY_REFUSALS, idParam, security, uuid } from '../openapi.ts';
import { participantOf } from '../participants.ts';
import { newRouter } from '../router.ts';
import { guardOf, readableConversation, type Access } from './access.ts';
import { claimFor, openHolders } from './claims.ts';
import { participantSchema } from './schemas/conversation.ts';
import { addedParticipantSchema } from './schemas/participants.ts';
import { presentPerson } from '../../dialects/voipbin/conversation.ts';
import { isOver } from '../../domain/conversation/lifecycle.ts';
import { addressText, type ContactAddress } from '../../domain/conversation/identity/participants.ts';
import { callObject, getConversation, getDirectory } from '../../objects/stubs.ts';

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
    const { id, participants } = await readableConversation(c, c.req.valid('param').id);
    return c.json({ result: participants.map((each) => presentPerson(id, each)) }, 200);
  });
  if (access !== 'managers') return routes;
  routes.openapi(addRoute, addOne);
  routes.openapi(removeRoute, removeOne);
  return routes;
}

const addOne: RouteHandler<typeof addRoute, AppEnv> = async (c) => {
  const { id } = c.req.valid('param');
  const { addresses, move } = c.req.valid('json');
  const { customerId } = c.get('principal');
  // No more is kept under the key: who is erased must not come back with the answer to a repeat.
  const added = await withIdempotencyKey(c, async () => {
    await openConversation(c, id);
    if (move) await withCustomerLock(c.env, customerId, () => moveHere(c.env, customerId, id, addresses));
    await claimFor(c.env, customerId, id, addresses);
    return { answer: { id: await participantAdded(c, id, c.req.valid('json')) } };
  });
  const { participants } = valueOf(await callObject(() => getConversation(c.env, id).read(customerId)));
  const found = participants.find((each) => each.id === added.id);
  if (!found) throw new ApiError('PARTICIPANT_NOT_FOUND');
  return c.json(presentPerson(id, found), 200);
};

/** @returns the id that it has there. */
async function participantAdded(
  c: AppContext,
  id: string,
  { name, addresses, preferred_channel }: z.infer<typeof addedParticipantSchema>,
): Promise<string> {
  const { customerId } = c.get('principal');
  const person = await participantOf(customerId, name, addresses, preferred_channel);
  const state = valueOf(await callObject(() => getConversation(c.env, id).addParticipant(customerId, person)));
  const found = state.participants.find((each) =>
    addresses.some((one) => each.addresses.some((two) => addressText(one) === addressText(two))),
  );
  if (!found) throw new ApiError('PARTICIPANT_NOT_FOUND');
  return found.id;
}

async function moveHere(env: Env, customerId: string, into: string, addresses: ContactAddress[]): Promise<void> {
  for (const from of await openHolders(env, customerId, addresses)) {
    if (from !== into) valueOf(await moveAddresses(env, customerId, { from, into }, addresses));
  }
}

/** Claims are made for what is there, and goes on. */
async function openConversation(c: AppContext, id: string): Promise<void> {
  const state = await readableConversation(c, id);
  if (isOver(state)) throw new ApiError('CONVERSATION_CLOSED');
}

const removeOne: RouteHandler<typeof removeRoute, AppEnv> = async (c) => {
  const { id, participant_id } = c.req.valid('param');
  const { customerId } = c.get('principal');
  const { address } = c.req.valid('query');
  if (address !== undefined) return c.json(await removeAddress(c, id, participant_id, address), 200);
  const stub = () => getConversation(c.env, id);
  const before = valueOf(await callObject(() => stub().removeParticipant(customerId, participant_id)));
  const removed = before.participants.find((each) => each.id === participant_id);
  if (!removed) throw new ApiError('PARTICIPANT_NOT_FOUND');
  const addresses = removed.addresses.map(addressText);
  await callObject(() => getDirectory(c.env, customerId).release(addresses, id));
  return c.json(presentPerson(id, removed), 200);
};

/** @returns the participant as it is without it. */
async function removeAddress(c: AppContext, id: string, participantId: string, target: string) {
  const { customerId } = c.get('principal');
  const before = await readableConversation(c, id);
  const person = before.participants.find((each) => each.id === participantId);
  if (!person) throw new ApiError('PARTICIPANT_NOT_FOUND');
  const addresses = person.addresses.filter((each) => each.target === target);
  if (addresses.length === 0) throw invalidField('address', 'does not belong to this participant');
  if (addresses.length === person.addresses.length)
    throw invalidField('address', 'is the only address of this participant; remove the participant instead');
  const drop = { kind: 'release_addresses' as const, addresses };
  const after = valueOf(await callObject(() => getConversation(c.env, id).changeMembership(customerId, drop)));
  await callObject(() => getDirectory(c.env, customerId).release(addresses.map(addressText), id));
  const left = after.participants.find((each) => each.id === participantId) ?? person;
  return presentPerson(id, left);
}
