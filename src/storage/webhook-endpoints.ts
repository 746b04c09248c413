import { and, desc, eq, isNull, sql } from 'drizzle-orm';
import { type Statement, dbOf, isOwned } from './db.ts';
import { afterCursor, newestFirst, pageOf, type Page, type PageRequest } from './page.ts';
import { webhookEndpoints } from './schema.ts';
import { configOf } from '../env.ts';
import { DAY, microsOf, millisOf, type Micros, type Millis } from '../domain/time.ts';
import { seal, unseal } from '../security/secret-box.ts';

export type WebhookEndpoint = typeof webhookEndpoints.$inferSelect;

/** How long webhooks are also signed with the previous secret after a rotation. */
export const ROTATION_MS = DAY;

export type NewEndpoint = Pick<
  WebhookEndpoint,
  'id' | 'customerId' | 'kind' | 'name' | 'url' | 'method' | 'dialect' | 'eventTypes'
>;

/** A complete row from the fields that the caller chooses. */
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

const notDeleted = (id: string) => and(eq(webhookEndpoints.id, id), isNull(webhookEndpoints.deletedAt));

/** An endpoint that was created through the API. The customer's own webhook_uri is not one: it is changed through the customer. */
export async function findApiEndpoint(env: Env, customerId: string, id: string): Promise<WebhookEndpoint | null> {
  const endpoint = await findEndpoint(env, customerId, id);
  return endpoint?.kind === 'endpoint' ? endpoint : null;
}

export async function findEndpoint(env: Env, customerId: string, id: string): Promise<WebhookEndpoint | null> {
  const isTheirs = isOwned(webhookEndpoints, customerId, id);
  return (await dbOf(env).select().from(webhookEndpoints).where(isTheirs))[0] ?? null;
}

/** The newest endpoint with this URL that was created through the API. */
export async function findEndpointAt(env: Env, customerId: string, url: string): Promise<WebhookEndpoint | null> {
  const { customerId: customer, kind, url: target, deletedAt, createdAt } = webhookEndpoints;
  const isAtUrl = and(eq(customer, customerId), eq(kind, 'endpoint'), eq(target, url), isNull(deletedAt));
  const query = dbOf(env).select().from(webhookEndpoints).where(isAtUrl).orderBy(desc(createdAt));
  return (await query.limit(1))[0] ?? null;
}

/** The endpoints that were created through the API. The customer's own webhook_uri is shown with the customer. */
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
 * The changes that set a new secret. The current one is kept beside it for a day, so that receivers can switch without losing a webhook.
 * Setting the same secret again is not a rotation, and does not cut short a running one.
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

/** The secrets to sign with now, the current one first. */
export async function signingSecrets(env: Env, endpoint: WebhookEndpoint, now: Millis): Promise<string[]> {
  const key = configOf(env).ENCRYPTION_KEY;
  const rotating =
    endpoint.previousSealed !== null && endpoint.previousUntil !== null && millisOf(endpoint.previousUntil) > now;
  const sealed = rotating ? [endpoint.secretSealed, endpoint.previousSealed ?? ''] : [endpoint.secretSealed];
  const secrets = await Promise.all(sealed.map((text) => unseal(text, key)));
  return secrets.filter((secret) => secret !== '');
}

/** The secrets of the customer's own webhook, which also sign the requests of its flows. */
export async function customerSecrets(env: Env, customerId: string, now: Millis): Promise<string[]> {
  const endpoint = await findEndpoint(env, customerId, customerId);
  return endpoint ? signingSecrets(env, endpoint, now) : [];
}

/** Disables an endpoint. False if it was disabled already. */
export async function disableEndpoint(env: Env, id: string, disabledReason: string, now: Millis): Promise<boolean> {
  const disabled = { status: 'disabled', disabledReason, updatedAt: microsOf(now) };
  const enabled = and(notDeleted(id), eq(webhookEndpoints.status, 'enabled'));
  const updated = dbOf(env).update(webhookEndpoints).set(disabled).where(enabled);
  return (await updated.returning({ id: webhookEndpoints.id })).length > 0;
}

/** Counts up and returns the sequence number of this endpoint's next notice. */
export async function nextNotice(env: Env, id: string): Promise<number> {
  const counted = dbOf(env)
    .update(webhookEndpoints)
    .set({ notices: sql`${webhookEndpoints.notices} + 1` });
  return (
    (await counted.where(eq(webhookEndpoints.id, id)).returning({ notices: webhookEndpoints.notices }))[0]?.notices ?? 1
  );
}
