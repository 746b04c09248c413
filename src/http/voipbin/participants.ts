import { createRoute, z, type RouteHandler } from '@hono/zod-openapi';
import type { AppContext, AppEnv } from '../context.ts';
import { ApiError, invalidField, valueOf } from '../errors.ts';
import { withCustomerLock } from '../exclusively.ts';
import { moveAddresses } from '../join-conversations.ts';
import { withIdempotencyKey } from '../once.ts';
import { answer, body, failures, idempotencyHeaders, idParam, security, uuid } from '../openapi.ts';
import { participantOf } from '../participants.ts';
import { newRouter } from '../router.ts';
import { guardOf, readableConversation, type Access } from './access.ts';
import { claimFor, openHolders } from './claims.ts';
import { participantSchema } from './schemas/conversation.ts';
import { addedParticipantSchema } from './schemas/participants.ts';
import { presentPerson } from '../../dialects/voipbin/conversation.ts';
import { isOver } from '../../domain/conversation/lifecycle.ts';
import { peopleOf } from '../../domain/conversation/identity/membership.ts';
import {
  addressText,
  heldAddresses,
  isAmong,
  type ContactAddress,
} from '../../domain/conversation/identity/participants.ts';
import { callObject, getConversation, getDirectory } from '../../objects/stubs.ts';

const common = { tags: ['Participants'], security };

const listRoute = (access: Access) =>
  createRoute({
    ...common,
    middleware: guardOf(access),
    method: 'get',
    path: '/{id}/participants',
    summary: 'Who is in a conversation',
    request: idParam,
    responses: {
      ...answer(z.object({ result: z.array(participantSchema) }), 'In the order in which they joined'),
      ...failures('PERMISSION_DENIED', 'CONVERSATION_NOT_FOUND'),
    },
  });

const addRoute = createRoute({
  ...common,
  middleware: guardOf('managers'),
  method: 'post',
  path: '/{id}/participants',
  summary: 'Add a person, by one address or several (seed 002)',
  description:
    'Who has one of the addresses here already gets the others. 409 ADDRESS_TAKEN names the other open conversations that have one.',
  request: { ...idParam, headers: idempotencyHeaders, ...body(addedParticipantSchema) },
  responses: {
    ...answer(participantSchema, 'The participant'),
    ...failures(
      'PERMISSION_DENIED',
      'CONVERSATION_NOT_FOUND',
      'PARTICIPANT_NOT_FOUND',
      'CONVERSATION_CLOSED',
      'ADDRESS_TAKEN',
      'IDEMPOTENCY_KEY_REUSED',
    ),
  },
});

const removeRoute = createRoute({
  ...common,
  middleware: guardOf('managers'),
  method: 'delete',
  path: '/{id}/participants/{participant_id}',
  summary:
    'Remove a person, or one of its addresses; not the last one. What comes from there begins another conversation',
  request: {
    params: z.object({ id: uuid, participant_id: uuid }),
    query: z.object({
      address: z
        .string()
        .max(255)
        .optional()
        .openapi({ description: 'The `target` of the one that goes; absent: the person with all of them' }),
    }),
  },
  responses: {
    ...answer(participantSchema, 'As it was removed'),
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
  const { addresses, move } = c.req.valid('json');
  const { customerId } = c.get('principal');
  // No more is kept under the key: who is erased must not come back with the answer to a repeat.
  const added = await withIdempotencyKey(c, async () => {
    await openConversation(c, id);
    if (move) await withCustomerLock(c.env, customerId, () => moveHere(c.env, customerId, id, addresses));
    await claimFor(c.env, customerId, id, addresses);
    return { statements: [], answer: { id: await participantAdded(c, id, c.req.valid('json')) } };
  });
  const state = valueOf(await callObject(() => getConversation(c.env, id).read(customerId)));
  const found = peopleOf(state).find((each) => each.id === added.id);
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
  const found = peopleOf(state).find((each) => heldAddresses(each).some((one) => isAmong(one, addresses)));
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
  const removed = peopleOf(before).find((each) => each.id === participant_id);
  if (!removed) throw new ApiError('PARTICIPANT_NOT_FOUND');
  const addresses = heldAddresses(removed).map(addressText);
  await callObject(() => getDirectory(c.env, customerId).release(addresses, id));
  return c.json(presentPerson(id, removed), 200);
};

/** @returns the participant as it is without it. */
async function removeAddress(c: AppContext, id: string, participantId: string, target: string) {
  const { customerId } = c.get('principal');
  const before = await readableConversation(c, id);
  const person = peopleOf(before).find((each) => each.id === participantId);
  if (!person) throw new ApiError('PARTICIPANT_NOT_FOUND');
  const held = heldAddresses(person);
  const addresses = held.filter((each) => each.target === target);
  if (addresses.length === 0) throw invalidField('address', 'is none of this participant’s');
  if (addresses.length === held.length) throw invalidField('address', 'is the only one: remove the participant');
  const drop = { kind: 'release_addresses' as const, addresses };
  const after = valueOf(await callObject(() => getConversation(c.env, id).changeMembership(customerId, drop)));
  await callObject(() => getDirectory(c.env, customerId).release(addresses.map(addressText), id));
  const left = peopleOf(after).find((each) => each.id === participantId) ?? person;
  return presentPerson(id, left);
}
