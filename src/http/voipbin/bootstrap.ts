import { createRoute, z } from '@hono/zod-openapi';
import type { AppContext } from '../context.ts';
import { ApiError } from '../errors.ts';
import { withIdempotencyKey } from '../once.ts';
import { answer, body, failures, idempotencyHeaders, KEY_REFUSALS } from '../openapi.ts';
import { newRouter } from '../router.ts';
import { newAccessKeyRow, newAgentRow, newCustomerRow } from './new-identity.ts';
import { presentAccessKey, presentAgent, presentCustomer } from '../../dialects/voipbin/identity.ts';
import { accessKeySchema, agentSchema, customerSchema, newCustomerSchema } from './schemas/identity.ts';
import { PERMISSION } from '../../domain/permissions.ts';
import { configOf } from '../../env.ts';
import { sameText } from '../../security/encoding.ts';
import { newPassword } from '../../security/tokens.ts';
import { insertAccessKey } from '../../storage/access-keys.ts';
import { insertAgent } from '../../storage/agents.ts';
import { insertCustomer } from '../../storage/customers.ts';
import { isTaken } from '../../storage/db.ts';

const FIRST_KEY = { name: 'bootstrap', detail: '', expire: 365 * 24 * 3600, dialect: 'voipbin' } as const;

const createCustomerRoute = createRoute({
  tags: ['Identity'],
  method: 'post',
  path: '/customers',
  summary: 'Create a customer and its administrator',
  description:
    'Requires the Worker secret BOOTSTRAP_TOKEN as bearer token. The password and the access key are returned only once.',
  security: [{ bearer: [] }],
  request: { headers: idempotencyHeaders, ...body(newCustomerSchema) },
  responses: {
    ...answer(
      z.object({ customer: customerSchema, agent: agentSchema, password: z.string(), accesskey: accessKeySchema }),
      'The customer, its administrator and its first access key',
    ),
    ...failures('INVALID_CREDENTIALS', 'ALREADY_EXISTS', ...KEY_REFUSALS),
  },
});

export const bootstrapRoutes = newRouter();

bootstrapRoutes.use('/customers', async (c, next) => {
  if (c.req.method === 'POST') await requireBootstrapToken(c);
  await next();
});

bootstrapRoutes.openapi(createCustomerRoute, async (c) => {
  const { name, username, password = newPassword() } = c.req.valid('json');
  const made = await withIdempotencyKey(c, () => newCustomer(c.env, name, username, password), 'bootstrap').catch(
    refuseTaken,
  );
  return c.json(made, 200);
});

async function newCustomer(env: Env, name: string, username: string, password: string) {
  const now = Date.now();
  const customer = newCustomerRow(name, now);
  const person = { username, password, name: username, detail: '', permission: PERMISSION.admin };
  const agent = await newAgentRow(customer.id, person, now);
  const { row, token } = await newAccessKeyRow(customer.id, FIRST_KEY, now);
  const statements = [insertCustomer(env, customer), insertAgent(env, agent), insertAccessKey(env, row)];
  const shown = { customer: presentCustomer(customer, null, ''), agent: presentAgent(agent) };
  return { statements, answer: { ...shown, password, accesskey: presentAccessKey(row, token) } };
}

async function requireBootstrapToken(c: AppContext): Promise<void> {
  const token = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
  if (token === undefined) throw new ApiError('AUTHENTICATION_REQUIRED', 'the bootstrap token is required');
  const { success } = await c.env.LOGIN_LIMIT.limit({
    key: `bootstrap ${c.req.header('cf-connecting-ip') ?? 'unknown'}`,
  });
  if (!success) throw new ApiError('RATE_LIMIT_EXCEEDED', undefined, undefined, { 'Retry-After': '60' });
  if (!(await sameText(token, configOf(c.env).BOOTSTRAP_TOKEN))) throw new ApiError('INVALID_CREDENTIALS');
}

function refuseTaken(error: unknown): never {
  if (isTaken(error, 'agents.username'))
    throw new ApiError('ALREADY_EXISTS', 'username: is already taken', { username: 'is already taken' });
  throw error;
}
