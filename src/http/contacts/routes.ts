import { createRoute, z, type RouteHandler } from '@hono/zod-openapi';
import type { AppContext, AppEnv } from '../context.ts';
import { ApiError, invalidField, valueOf } from '../errors.ts';
import { allow } from '../middleware/authenticate.ts';
import { withIdempotencyKey } from '../once.ts';
import { answer, body, failures, idempotencyHeaders, KEY_REFUSALS, idParam, security, uuid } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { pageQuery, pageRequest, pageSchema, presentPage } from '../voipbin/pages.ts';
import { eraseContact, type Receipt } from '../../app/contacts/erase.ts';
import { mergeContacts } from '../../app/contacts/merge.ts';
import { unmergeContacts } from '../../app/contacts/unmerge.ts';
import { blankTime } from '../../dialects/voipbin/times.ts';
import type { Contact } from '../../domain/contacts.ts';
import { findContact, listContacts, type ContactMerge } from '../../storage/contacts.ts';

const common = { tags: ['Contacts'], security, middleware: allow('manager-or-admin') };
const address = z.object({ type: z.string(), target: z.string() });

const contactSchema = z
  .object({
    id: z.uuid(),
    name: z.string(),
    addresses: z.array(address),
    conversation_ids: z.array(z.uuid()),
    merged_ids: z.array(z.uuid()).openapi({ description: 'Contacts that were found to be this one' }),
    tm_create: z.string().openapi({ example: '2026-01-15 10:30:00.000000' }),
    tm_update: z.string(),
  })
  .openapi('Contact');

const mergeSchema = z
  .object({
    id: z.uuid().openapi({ description: 'For `POST /v1.0/contact_merges/{id}/undo`' }),
    contact_id: z.uuid(),
    merged_contact_id: z.uuid(),
    joined_conversations: z.array(z.object({ from: z.uuid(), into: z.uuid() })),
    tm_create: z.string(),
    undone: z.boolean(),
  })
  .openapi('ContactMerge');

const receiptSchema = z
  .object({
    id: z.uuid(),
    contact_id: z.uuid(),
    conversations: z.number().int(),
    messages: z.number().int(),
    files: z.number().int(),
    tm_create: z.string(),
  })
  .openapi('ErasureReceipt');

const listRoute = createRoute({
  ...common,
  method: 'get',
  path: '/contacts',
  summary: 'Who has been talked to; `address` finds whose it is',
  request: { query: pageQuery.extend({ address: z.string().max(255).optional() }) },
  responses: { ...answer(pageSchema(contactSchema), 'Newest first'), ...failures('PERMISSION_DENIED') },
});

const readRoute = createRoute({
  ...common,
  method: 'get',
  path: '/contacts/{id}',
  summary: 'One contact, also by the id of one that was merged into it',
  request: idParam,
  responses: { ...answer(contactSchema, 'The contact'), ...failures('PERMISSION_DENIED', 'CONTACT_NOT_FOUND') },
});

const mergeRoute = createRoute({
  ...common,
  method: 'post',
  path: '/contacts/{id}/merge',
  summary: 'Another contact was found to be this one: their open conversations go on as one',
  description: 'Asked again, it ends what may have broken off, and gives the same merger.',
  request: { ...idParam, headers: idempotencyHeaders, ...body(z.object({ contact_id: uuid })) },
  responses: {
    ...answer(mergeSchema, 'The merger'),
    ...failures('PERMISSION_DENIED', 'CONTACT_NOT_FOUND', 'ALREADY_EXISTS', ...KEY_REFUSALS),
  },
});

const undoRoute = createRoute({
  ...common,
  method: 'post',
  path: '/contact_merges/{id}/undo',
  summary: 'They are two after all: everything is as it was; what was said meanwhile stays where it was said',
  description:
    'Refused with 409 while the contact was itself merged into another one since: that merger, whose id the details name, is to be undone first. A conversation whose contact has meanwhile begun another one stays closed.',
  request: { ...idParam, headers: idempotencyHeaders },
  responses: {
    ...answer(mergeSchema, 'The merger, undone'),
    ...failures('PERMISSION_DENIED', 'RESOURCE_NOT_FOUND', 'ALREADY_EXISTS', ...KEY_REFUSALS),
  },
});

const eraseRoute = createRoute({
  ...common,
  middleware: allow('admin'),
  method: 'delete',
  path: '/contacts/{id}',
  summary: 'Erase a contact: messages, files, addresses and every copy of them, for good',
  description:
    'With everybody that was merged into it. Conversations with nobody else in them go as a whole; of the others what it said and got. An opt-out is kept, under a hash.',
  request: { ...idParam, query: z.object({ erase: z.string().optional() }) },
  responses: { ...answer(receiptSchema, 'What was erased'), ...failures('PERMISSION_DENIED', 'CONTACT_NOT_FOUND') },
});

export const contactRoutes = newRouter();

contactRoutes.openapi(listRoute, async (c) => {
  const query = c.req.valid('query');
  const { customerId } = c.get('principal');
  const page = await listContacts(c.env, customerId, query.address ?? null, pageRequest(query));
  return c.json(presentPage(page, presentContact), 200);
});

contactRoutes.openapi(readRoute, async (c) => c.json(presentContact(await contact(c, c.req.valid('param').id)), 200));

contactRoutes.openapi(mergeRoute, async (c) => {
  const [winner, loser] = [c.req.valid('param').id, c.req.valid('json').contact_id];
  const { customerId } = c.get('principal');
  const merged = await withIdempotencyKey(c, async () => ({
    answer: presentMerge(valueOf(await mergeContacts(c.env, customerId, winner, loser))),
  }));
  return c.json(merged, 200);
});

const undo: RouteHandler<typeof undoRoute, AppEnv> = async (c) => {
  const { customerId } = c.get('principal');
  const { id } = c.req.valid('param');
  const undone = await withIdempotencyKey(c, async () => ({
    answer: presentMerge(valueOf(await unmergeContacts(c.env, customerId, id))),
  }));
  return c.json(undone, 200);
};

contactRoutes.openapi(undoRoute, undo);

contactRoutes.openapi(eraseRoute, async (c) => {
  const found = await contact(c, c.req.valid('param').id);
  if (c.req.valid('query').erase !== 'true')
    throw invalidField('erase', 'must be true: a contact is erased for good, or not at all');
  return c.json(presentReceipt(await eraseContact(c.env, c.get('principal').customerId, found)), 200);
});

async function contact(c: AppContext, id: string): Promise<Contact> {
  const found = await findContact(c.env, c.get('principal').customerId, id);
  if (!found) throw new ApiError('CONTACT_NOT_FOUND');
  return found;
}

const presentContact = ({ id, name, addresses, conversationIds, mergedIds, createdAt, updatedAt }: Contact) => ({
  id,
  name,
  addresses,
  conversation_ids: conversationIds,
  merged_ids: mergedIds,
  tm_create: blankTime(createdAt),
  tm_update: blankTime(updatedAt),
});

const presentMerge = ({ id, winnerId, loserId, journal, createdAt, undoneAt }: ContactMerge) => ({
  id,
  contact_id: winnerId,
  merged_contact_id: loserId,
  joined_conversations: journal.joined.map(({ from, into }) => ({ from, into })),
  tm_create: blankTime(createdAt),
  undone: undoneAt !== null,
});

const presentReceipt = ({ id, contactId, conversationIds, messages, files, createdAt }: Receipt) => ({
  id,
  contact_id: contactId,
  conversations: conversationIds.length,
  messages,
  files,
  tm_create: blankTime(createdAt),
});
