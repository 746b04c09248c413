import { createRoute, z, type RouteHandler } from '@hono/zod-openapi';
import type { AppContext, AppEnv } from '../context.ts';
import { ApiError, invalidField, valueOf } from '../errors.ts';
import { allow } from '../middleware/authenticate.ts';
import { withIdempotencyKey } from '../once.ts';
import { answer, body, failures, idempotencyHeaders, KEY_REFUSALS, idParam, security, uuid } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { pageQuery, pageRequest, pageSchema, presentPage } from '../voipbin/pages.ts';
import { eraseContact } from '../../app/contacts/erase.ts';
import { mergeContacts } from '../../app/contacts/merge.ts';
import { unmergeContacts } from '../../app/contacts/unmerge.ts';
import { presentContact, presentMerge, presentReceipt } from '../../dialects/voipbin/contact.ts';
import type { Contact } from '../../domain/contacts.ts';
import { findContact, listContacts } from '../../storage/contacts.ts';

const common = { tags: ['Contacts'], security, middleware: allow('manager-or-admin') };
const address = z.object({ type: z.string(), target: z.string() });

const contactSchema = z
  .object({
    id: z.uuid(),
    name: z.string(),
    addresses: z.array(address),
    conversation_ids: z.array(z.uuid()),
    merged_ids: z.array(z.uuid()).openapi({ description: 'Contacts that were merged into this one' }),
    tm_create: z.string().openapi({ example: '2026-01-15 10:30:00.000000' }),
    tm_update: z.string(),
  })
  .openapi('Contact');

const mergeSchema = z
  .object({
    id: z.uuid().openapi({ description: 'Use it with `POST /v1.0/contact_merges/{id}/undo`' }),
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
  summary: 'List contacts; `address` finds the contact that has it',
  request: { query: pageQuery.extend({ address: z.string().max(255).optional() }) },
  responses: { ...answer(pageSchema(contactSchema), 'Newest first'), ...failures('PERMISSION_DENIED') },
});

const readRoute = createRoute({
  ...common,
  method: 'get',
  path: '/contacts/{id}',
  summary: 'Get a contact, also by the id of a contact that was merged into it',
  request: idParam,
  responses: { ...answer(contactSchema, 'The contact'), ...failures('PERMISSION_DENIED', 'CONTACT_NOT_FOUND') },
});

const mergeRoute = createRoute({
  ...common,
  method: 'post',
  path: '/contacts/{id}/merge',
  summary: 'Merge another contact into this one; their open conversations continue as one',
  description: 'Repeating the request completes a merger that was interrupted and returns the same merger.',
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
  summary: 'Undo a merger; messages sent in the meantime stay where they are',
  description:
    'Returns 409 if the contact has since been merged into another one; undo that merger first, whose id is in the details. A conversation whose contact has started another one in the meantime stays closed.',
  request: { ...idParam, headers: idempotencyHeaders },
  responses: {
    ...answer(mergeSchema, 'The undone merger'),
    ...failures('PERMISSION_DENIED', 'RESOURCE_NOT_FOUND', 'ALREADY_EXISTS', ...KEY_REFUSALS),
  },
});

const eraseRoute = createRoute({
  ...common,
  middleware: allow('admin'),
  method: 'delete',
  path: '/contacts/{id}',
  summary: 'Erase a contact permanently: messages, files, addresses and all copies of them',
  description:
    'Includes the contacts that were merged into it. Conversations with no other participant are erased completely, in others the messages from and to the contact. An opt-out is kept, under a hash.',
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
    throw invalidField('erase', 'must be true to confirm that the contact is erased permanently');
  return c.json(presentReceipt(await eraseContact(c.env, c.get('principal').customerId, found)), 200);
});

async function contact(c: AppContext, id: string): Promise<Contact> {
  const found = await findContact(c.env, c.get('principal').customerId, id);
  if (!found) throw new ApiError('CONTACT_NOT_FOUND');
  return found;
}
