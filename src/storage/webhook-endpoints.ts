import { and, desc, eq, isNull, sql } from 'drizzle-orm';
import { type Statement, dbOf, isOwned } from './db.ts';
import { afterCursor, newestFirst, pageOf, type Page, type PageRequest } from './page.ts';
import { webhookEndpoints } from './schema.ts';
import { configOf } from '../env.ts';
import { DAY, microsOf, millisOf, type Micros, type Millis } from '../domain/time.ts';
import { seal, unseal } from '../security/secret-box.ts';

export type WebhookEndpoint = typeof webhookEndpoints.$inferSelect;

/** How long the secret before a rotation is signed with as well. */
export const ROTATION_MS = DAY;

export type NewEndpoint = Pick<
  WebhookEndpoint,
  'id' | 'customerId' | 'kind' | 'name' | 'url' | 'method' | 'dialect' | 'eventTypes'
>;

/** A whole row out of what a caller chooses. */
export async function newEndpointRow(
  env: Env,
  chosen: NewEndpoint,
  secret: string,
  at: Micros,
): Promise<WebhookEndpoint> {
  return {
    ...chosen,
    secretSealed: await seal(secret, configOf(env).ENCRYPTION_KEY),
    previousSealed: null,
    previousUntil: null,
    status: 'enabled',
    disabledReason: '',
    failingSince: null,
    notices: 0,
    createdAt: at,
    updatedAt: at,
    deletedAt: null,
  };
}

export const insertEndpoint = (env: Env, row: WebhookEndpoint): Statement =>
  dbOf(env).insert(webhookEndpoints).values(row);

const living = (id: string) => and(eq(webhookEndpoints.id, id), isNull(webhookEndpoints.deletedAt));

/** The same for the API, to which the customer's own webhook_uri is no endpoint: it is changed with the customer. */
export async function findMadeEndpoint(env: Env, customerId: string, id: string): Promise<WebhookEndpoint | null> {
  const endpoint = await findEndpoint(env, customerId, id);
  return endpoint?.kind === 'endpoint' ? endpoint : null;
}

export async function findEndpoint(env: Env, customerId: string, id: string): Promise<WebhookEndpoint | null> {
  const isTheirs = isOwned(webhookEndpoints, customerId, id);
  return (await dbOf(env).select().from(webhookEndpoints).where(isTheirs))[0] ?? null;
}

/** The newest one made over the API with that URL. */
export async function findEndpointAt(env: Env, customerId: string, url: string): Promise<WebhookEndpoint | null> {
  const { customerId: customer, kind, url: target, deletedAt, createdAt } = webhookEndpoints;
  const there = and(eq(customer, customerId), eq(kind, 'endpoint'), eq(target, url), isNull(deletedAt));
  const query = dbOf(env).select().from(webhookEndpoints).where(there).orderBy(desc(createdAt));
  return (await query.limit(1))[0] ?? null;
}

/** Those made over the API; the customer's own webhook_uri is shown with the customer. */
export async function listEndpoints(
  env: Env,
  customerId: string,
  request: PageRequest,
): Promise<Page<WebhookEndpoint>> {
  const table = webhookEndpoints;
  const mine = and(eq(table.customerId, customerId), eq(table.kind, 'endpoint'), isNull(table.deletedAt));
  const query = dbOf(env)
    .select()
    .from(table)
    .where(and(mine, afterCursor(table, request.cursor)));
  return pageOf(await query.orderBy(...newestFirst(table)).limit(request.size + 1), request.size);
}

export type EndpointChanges = Partial<Omit<WebhookEndpoint, 'id' | 'customerId' | 'kind' | 'createdAt'>>;

export const updateEndpoint = (env: Env, id: string, changes: EndpointChanges): Statement =>
  dbOf(env).update(webhookEndpoints).set(changes).where(eq(webhookEndpoints.id, id));

/**
 * The next secret, with the present one kept beside it for a day: receivers change over without losing a webhook.
 * The same secret again is no rotation, and must not end the day of one.
 */
export async function rotatedSecret(
  env: Env,
  endpoint: WebhookEndpoint,
  secret: string,
  now: Millis,
): Promise<EndpointChanges> {
  const key = configOf(env).ENCRYPTION_KEY;
  if (secret === (await unseal(endpoint.secretSealed, key))) return {};
  return {
    secretSealed: await seal(secret, key),
    previousSealed: endpoint.secretSealed === '' ? null : endpoint.secretSealed,
    previousUntil: microsOf(now + ROTATION_MS),
    updatedAt: microsOf(now),
  };
}

/** The secrets to sign with now, the present one first. */
export async function signingSecrets(env: Env, endpoint: WebhookEndpoint, now: Millis): Promise<string[]> {
  const key = configOf(env).ENCRYPTION_KEY;
  const rotating =
    endpoint.previousSealed !== null && endpoint.previousUntil !== null && millisOf(endpoint.previousUntil) > now;
  const sealed = rotating ? [endpoint.secretSealed, endpoint.previousSealed ?? ''] : [endpoint.secretSealed];
  const secrets = await Promise.all(sealed.map((text) => unseal(text, key)));
  return secrets.filter((secret) => secret !== '');
}

/** The secrets of the customer's own webhook, which sign what its flows send. */
export async function customerSecrets(env: Env, customerId: string, now: Millis): Promise<string[]> {
  const endpoint = await findEndpoint(env, customerId, customerId);
  return endpoint ? signingSecrets(env, endpoint, now) : [];
}

/** Switches an endpoint off, once: false when somebody has done so already. */
export async function switchOff(env: Env, id: string, disabledReason: string, now: Millis): Promise<boolean> {
  const off = { status: 'disabled', disabledReason, updatedAt: microsOf(now) };
  const enabled = and(living(id), eq(webhookEndpoints.status, 'enabled'));
  const switched = dbOf(env).update(webhookEndpoints).set(off).where(enabled);
  return (await switched.returning({ id: webhookEndpoints.id })).length > 0;
}

/** The next number of this endpoint's own notices. */
export async function nextNotice(env: Env, id: string): Promise<number> {
  const counted = dbOf(env)
    .update(webhookEndpoints)
    .set({ notices: sql`${webhookEndpoints.notices} + 1` });
  return (
    (await counted.where(eq(webhookEndpoints.id, id)).returning({ notices: webhookEndpoints.notices }))[0]?.notices ?? 1
  );
}
