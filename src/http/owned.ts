import type { AppContext } from './context.ts';
import { ApiError, invalidField, type Reason } from './errors.ts';

/** Looks among what is the customer's and not deleted. */
type Find<T> = (env: Env, customerId: string, id: string) => Promise<T | null>;

/** What is missing, is deleted, or belongs to another customer: the three look the same. @throws 404. */
export async function ownedOr404<T>(
  c: AppContext,
  find: Find<T>,
  id: string,
  reason: Reason,
  message?: string,
): Promise<T> {
  const found = await find(c.env, c.get('principal').customerId, id);
  if (found === null) throw new ApiError(reason, message);
  return found;
}

/** The same for an id in a body. `kinds`: what the field names, in the plural. @throws 400 that names the field. */
export async function ownedOr400<T>(
  c: AppContext,
  find: Find<T>,
  id: string,
  field: string,
  kinds: string,
): Promise<T> {
  const found = await find(c.env, c.get('principal').customerId, id);
  if (found === null) throw invalidField(field, `is not one of your ${kinds}`);
  return found;
}
