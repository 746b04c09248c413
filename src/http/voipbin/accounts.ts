import { createRoute, type z } from '@hono/zod-openapi';
import { type AppContext, publicUrlOf } from '../context.ts';
import { invalidField, invalidFields } from '../errors.ts';
import { allow } from '../middleware/authenticate.ts';
import { withIdempotencyKey } from '../once.ts';
import { answer, body, failures, idempotencyHeaders, KEY_REFUSALS, idParam, security } from '../openapi.ts';
import { ownedOr400, ownedOr404 } from '../owned.ts';
import { newRouter } from '../router.ts';
import { presentAccount } from '../../dialects/voipbin/account.ts';
import { pageQuery, pageRequest, pageSchema, presentPage } from './pages.ts';
import { accountChangesSchema, accountSchema, newAccountSchema } from './schemas/account.ts';
import type { AccountCredentials } from '../../channels/contract.ts';
import { channelOf, knownChannels } from '../../channels/registry.ts';
import { NIL_UUID } from '../../domain/ids.ts';
import { microsOf } from '../../domain/time.ts';
import { defined } from '../../domain/optional.ts';
import {
  deleteAccount,
  findAccount,
  insertAccount,
  isMailAddressTaken,
  listAccounts,
  findAccountNow,
  updateAccount,
  type AccountChanges,
  sealAccount,
  type Account,
} from '../../storage/accounts.ts';
import { findAssistant } from '../../storage/assistants.ts';
import { findFlow } from '../../storage/flows.ts';

const common = { tags: ['Accounts'], security, middleware: allow('manager-or-admin') };

const listRoute = createRoute({
  ...common,
  method: 'get',
  path: '/',
  summary: 'List channel accounts',
  request: { query: pageQuery },
  responses: { ...answer(pageSchema(accountSchema), 'Newest first'), ...failures('PERMISSION_DENIED') },
});

const createAccountRoute = createRoute({
  ...common,
  method: 'post',
  path: '/',
  summary: 'Connect a channel account',
  request: { headers: idempotencyHeaders, ...body(newAccountSchema) },
  responses: {
    ...answer(accountSchema, 'The account, without its secrets'),
    ...failures('PERMISSION_DENIED', ...KEY_REFUSALS),
  },
});

const readRoute = createRoute({
  ...common,
  method: 'get',
  path: '/{id}',
  summary: 'Get a channel account',
  request: idParam,
  responses: {
    ...answer(accountSchema, 'The account'),
    ...failures('PERMISSION_DENIED', 'CONVERSATION_ACCOUNT_NOT_FOUND'),
  },
});

const updateRoute = createRoute({
  ...common,
  method: 'put',
  path: '/{id}',
  summary: 'Update a channel account',
  request: { ...idParam, ...body(accountChangesSchema) },
  responses: {
    ...answer(accountSchema, 'The account'),
    ...failures('PERMISSION_DENIED', 'CONVERSATION_ACCOUNT_NOT_FOUND'),
  },
});

const deleteRoute = createRoute({
  ...common,
  method: 'delete',
  path: '/{id}',
  summary: 'Delete a channel account; its hook then returns 404, its conversations stay',
  request: idParam,
  responses: {
    ...answer(accountSchema, 'The account as it was deleted'),
    ...failures('PERMISSION_DENIED', 'CONVERSATION_ACCOUNT_NOT_FOUND'),
  },
});

export const accountRoutes = newRouter();

accountRoutes.openapi(listRoute, async (c) => {
  const page = await listAccounts(c.env, c.get('principal').customerId, pageRequest(c.req.valid('query')));
  return c.json(
    presentPage(page, (account) => presentAccount(account, publicUrlOf(c)), 'iso'),
    200,
  );
});

accountRoutes.openapi(createAccountRoute, async (c) => {
  const made = await unlessTaken(
    withIdempotencyKey(c, async () => {
      await checkAutomation(c, c.req.valid('json'));
      const account = newAccount(c.get('principal').customerId, c.req.valid('json'));
      const sealed = await sealAccount(c.env, account);
      return { statements: [insertAccount(c.env, sealed)], answer: presentAccount(account, publicUrlOf(c)) };
    }),
  );
  return c.json(made, 200);
});

accountRoutes.openapi(readRoute, async (c) => {
  const account = await mine(c, c.req.valid('param').id);
  return c.json(presentAccount(account, publicUrlOf(c)), 200);
});

accountRoutes.openapi(updateRoute, async (c) => {
  const { id } = c.req.valid('param');
  await checkAutomation(c, c.req.valid('json'));
  const account = await mine(c, id, findAccountNow);
  const changes = changesOf(account, c.req.valid('json'));
  const updatedAt = microsOf(Date.now());
  await unlessTaken(updateAccount(c.env, id, changes, updatedAt));
  return c.json(presentAccount({ ...account, ...changes, updatedAt }, publicUrlOf(c)), 200);
});

accountRoutes.openapi(deleteRoute, async (c) => {
  const account = await mine(c, c.req.valid('param').id);
  const deletedAt = microsOf(Date.now());
  await deleteAccount(c.env, account.id, deletedAt);
  return c.json(presentAccount({ ...account, updatedAt: deletedAt, deletedAt }, publicUrlOf(c)), 200);
});

type Automation = Pick<z.infer<typeof accountChangesSchema>, 'message_flow_id' | 'assistant_id'>;

/** Who is to answer must be the customer's own; the nil UUID stands for nobody. */
async function checkAutomation(c: AppContext, wanted: Automation): Promise<void> {
  const { message_flow_id: flow = NIL_UUID, assistant_id: assistant = NIL_UUID } = wanted;
  if (flow !== NIL_UUID) await ownedOr400(c, findFlow, flow, 'message_flow_id', 'flows');
  if (assistant !== NIL_UUID) await ownedOr400(c, findAssistant, assistant, 'assistant_id', 'assistants');
}

type NewAccount = ReturnType<typeof newAccountSchema.parse>;

function newAccount(customerId: string, wanted: NewAccount): Account {
  const at = microsOf(Date.now());
  const { type, name = '', detail = '', secret = '', token = '', provider_data: providerData = {} } = wanted;
  return {
    id: crypto.randomUUID(),
    customerId,
    type,
    name,
    detail,
    messageFlowId: wanted.message_flow_id ?? NIL_UUID,
    assistantId: wanted.assistant_id ?? NIL_UUID,
    fallback: wanted.fallback ?? false,
    ...checkCredentials(type, { secret, token, providerData }),
    createdAt: at,
    updatedAt: at,
    deletedAt: null,
  };
}

/** A mail names its address and nothing else, so that one account has it. @throws 400 for one that is another's. */
async function unlessTaken<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw isMailAddressTaken(error)
      ? invalidField('provider_data.address', 'already belongs to another account')
      : error;
  }
}

/** What the adapter makes of the credentials; its complaints come back under the request's field names. */
function checkCredentials(type: string, credentials: AccountCredentials): AccountCredentials {
  const channel = channelOf(type, credentials.providerData);
  if (!channel) throw invalidField('type', `with provider_data.provider must be one of ${knownChannels.join(', ')}`);
  const { secret, token, providerData } = credentials;
  const checked = channel.credentials.safeParse({ secret, token, providerData });
  if (checked.success) return checked.data;
  const { issues } = checked.error;
  throw invalidFields(
    Object.fromEntries(
      issues.map(({ path, message }) => [path.join('.').replace('providerData', 'provider_data'), message]),
    ),
  );
}

/** What is named in the request; credentials are checked together, since one may depend on another. */
function changesOf(account: Account, wanted: z.infer<typeof accountChangesSchema>): AccountChanges {
  const { name, detail, secret, token, provider_data: providerData } = wanted;
  const checked = checkCredentials(account.type, {
    secret: secret ?? account.secret,
    token: token ?? account.token,
    providerData: providerData ?? account.providerData,
  });
  return defined({
    name,
    detail,
    messageFlowId: wanted.message_flow_id,
    assistantId: wanted.assistant_id,
    fallback: wanted.fallback,
    secret: secret === undefined ? undefined : checked.secret,
    token: token === undefined ? undefined : checked.token,
    providerData: providerData === undefined ? undefined : checked.providerData,
  });
}

const mine = (c: AppContext, id: string, find = findAccount): Promise<Account> =>
  ownedOr404(c, find, id, 'CONVERSATION_ACCOUNT_NOT_FOUND');
