import { createRoute, type z } from '@hono/zod-openapi';
import type { AppContext } from '../context.ts';
import { ApiError } from '../errors.ts';
import { allow } from '../middleware/authenticate.ts';
import { answer, body, failures, security } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { customerHook, saveCustomerHook } from './customer-hook.ts';
import { pageSchema } from './pages.ts';
import { presentCustomer } from '../../dialects/voipbin/identity.ts';
import { customerChangesSchema, customerSchema } from './schemas/identity.ts';
import { hasRole } from '../../domain/permissions.ts';
import { microsOf } from '../../domain/time.ts';
import { findCustomer, forgetCustomer, updateCustomer, type CustomerChanges } from '../../storage/customers.ts';
import { dbOf, runBatch } from '../../storage/db.ts';
import { signingSecrets } from '../../storage/webhook-endpoints.ts';

const common = { tags: ['Identity'], security };

const readRoute = createRoute({
  ...common,
  method: 'get',
  path: '/customer',
  summary: 'Get the customer of the caller',
  middleware: allow('manager-or-admin'),
  responses: { ...answer(customerSchema, 'The customer'), ...failures('PERMISSION_DENIED') },
});

const updateRoute = createRoute({
  ...common,
  method: 'put',
  path: '/customer',
  summary: 'Update the customer’s name, webhook and conversation timeouts',
  middleware: allow('admin'),
  request: body(customerChangesSchema),
  responses: { ...answer(customerSchema, 'The customer'), ...failures('PERMISSION_DENIED') },
});

const listRoute = createRoute({
  ...common,
  method: 'get',
  path: '/customers',
  summary: 'List customers: the caller’s own',
  middleware: allow('manager-or-admin'),
  responses: { ...answer(pageSchema(customerSchema), 'One row'), ...failures('PERMISSION_DENIED') },
});

const serviceAgentRoute = createRoute({
  ...common,
  method: 'get',
  path: '/service_agents/customer',
  summary: 'Get the customer of the caller; for any agent',
  responses: { ...answer(customerSchema, 'The customer'), ...failures() },
});

export const customerRoutes = newRouter();

customerRoutes.openapi(readRoute, async (c) => c.json(await present(c), 200));

customerRoutes.openapi(serviceAgentRoute, async (c) => c.json(await present(c), 200));

customerRoutes.openapi(listRoute, async (c) => c.json({ result: [await present(c)], next_page_token: '' }, 200));

customerRoutes.openapi(updateRoute, async (c) => {
  const wanted = c.req.valid('json');
  const { customerId } = c.get('principal');
  const hook = await saveCustomerHook(c.env, customerId, wanted);
  const row = updateCustomer(c.env, customerId, changesOf(wanted), microsOf(Date.now()));
  await runBatch(dbOf(c.env), [row, ...hook]);
  forgetCustomer(customerId);
  return c.json(await present(c), 200);
});

const changesOf = (wanted: z.infer<typeof customerChangesSchema>): CustomerChanges => ({
  ...(wanted.name === undefined ? {} : { name: wanted.name }),
  ...(wanted.detail === undefined ? {} : { detail: wanted.detail }),
  ...(wanted.conversation_idle_timeout === undefined ? {} : { idleTimeoutS: wanted.conversation_idle_timeout }),
  ...(wanted.conversation_close_timeout === undefined ? {} : { closeTimeoutS: wanted.conversation_close_timeout }),
});

/** The secret is shown to administrators only (spec section 11). */
async function present(c: AppContext) {
  const { customerId } = c.get('principal');
  const customer = await findCustomer(c.env, customerId);
  if (!customer) throw new ApiError('RESOURCE_NOT_FOUND', 'the customer does not exist');
  const hook = await customerHook(c.env, customerId);
  const [secret = ''] = hook ? await signingSecrets(c.env, hook, Date.now()) : [];
  return presentCustomer(customer, hook, hasRole(c.get('principal'), 'admin') ? secret : undefined);
}
