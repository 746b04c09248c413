import { createRoute } from '@hono/zod-openapi';
import type { AppContext } from '../context.ts';
import { ApiError } from '../errors.ts';
import { allow } from '../middleware/authenticate.ts';
import { withIdempotencyKey } from '../once.ts';
import { answer, body, failures, idempotencyHeaders, KEY_REFUSALS, idParam, security } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { newAccessKeyRow } from './new-identity.ts';
import { pageQuery, pageRequest, pageSchema, presentPage } from './pages.ts';
import { presentAccessKey } from '../../dialects/voipbin/identity.ts';
import { accessKeyChangesSchema, accessKeySchema, newAccessKeySchema } from './schemas/identity.ts';
import { microsOf } from '../../domain/time.ts';
import {
  findAccessKey,
  forgetAccessKey,
  insertAccessKey,
  listAccessKeys,
  revokeAccessKey,
  updateAccessKey,
  type AccessKey,
} from '../../storage/access-keys.ts';
import { dbOf, runBatch } from '../../storage/db.ts';

const common = { tags: ['Identity'], security, middleware: allow('admin') };

const listRoute = createRoute({
  ...common,
  method: 'get',
  path: '/',
  summary: 'List access keys',
  request: { query: pageQuery },
  responses: { ...answer(pageSchema(accessKeySchema), 'Newest first'), ...failures('PERMISSION_DENIED') },
});

const createKeyRoute = createRoute({
  ...common,
  method: 'post',
  path: '/',
  summary: 'Make an access key; its token is shown this once',
  request: { headers: idempotencyHeaders, ...body(newAccessKeySchema) },
  responses: {
    ...answer(accessKeySchema, 'The key with its token'),
    ...failures('PERMISSION_DENIED', ...KEY_REFUSALS),
  },
});

const readRoute = createRoute({
  ...common,
  method: 'get',
  path: '/{id}',
  summary: 'One access key',
  request: idParam,
  responses: { ...answer(accessKeySchema, 'The key'), ...failures('PERMISSION_DENIED', 'RESOURCE_NOT_FOUND') },
});

const updateRoute = createRoute({
  ...common,
  method: 'put',
  path: '/{id}',
  summary: 'Rename an access key',
  request: { ...idParam, ...body(accessKeyChangesSchema) },
  responses: { ...answer(accessKeySchema, 'The key'), ...failures('PERMISSION_DENIED', 'RESOURCE_NOT_FOUND') },
});

const deleteRoute = createRoute({
  ...common,
  method: 'delete',
  path: '/{id}',
  summary: 'Revoke an access key',
  request: idParam,
  responses: {
    ...answer(accessKeySchema, 'The revoked access key'),
    ...failures('PERMISSION_DENIED', 'RESOURCE_NOT_FOUND'),
  },
});

export const accessKeyRoutes = newRouter();

accessKeyRoutes.openapi(listRoute, async (c) => {
  const page = await listAccessKeys(c.env, c.get('principal').customerId, pageRequest(c.req.valid('query')));
  return c.json(
    presentPage(page, (key) => presentAccessKey(key)),
    200,
  );
});

accessKeyRoutes.openapi(createKeyRoute, async (c) => {
  const made = await withIdempotencyKey(c, async () => {
    const { row, token } = await newAccessKeyRow(c.get('principal').customerId, c.req.valid('json'), Date.now());
    return { statements: [insertAccessKey(c.env, row)], answer: presentAccessKey(row, token) };
  });
  return c.json(made, 200);
});

accessKeyRoutes.openapi(readRoute, async (c) => c.json(presentAccessKey(await mine(c, c.req.valid('param').id)), 200));

accessKeyRoutes.openapi(updateRoute, async (c) => {
  const key = await mine(c, c.req.valid('param').id);
  const { name = key.name, detail = key.detail } = c.req.valid('json');
  const updatedAt = microsOf(Date.now());
  await runBatch(dbOf(c.env), [updateAccessKey(c.env, key.id, { name, detail }, updatedAt)]);
  return c.json(presentAccessKey({ ...key, name, detail, updatedAt }), 200);
});

accessKeyRoutes.openapi(deleteRoute, async (c) => {
  const key = await mine(c, c.req.valid('param').id);
  const deletedAt = microsOf(Date.now());
  await runBatch(dbOf(c.env), [revokeAccessKey(c.env, key, deletedAt)]);
  forgetAccessKey(key);
  return c.json(presentAccessKey({ ...key, updatedAt: deletedAt, deletedAt }), 200);
});

async function mine(c: AppContext, id: string): Promise<AccessKey> {
  const key = await findAccessKey(c.env, c.get('principal').customerId, id);
  if (!key) throw new ApiError('RESOURCE_NOT_FOUND', 'the access key does not exist');
  return key;
}
