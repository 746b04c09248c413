import { and, eq, isNull } from 'drizzle-orm';
import { DirectoryCache } from './cache.ts';
import { dbOf, type Statement } from './db.ts';
import { afterCursor, newestFirst, pageOf, type Page, type PageRequest } from './page.ts';
import { assistants } from './schema.ts';
import type { Micros } from '../domain/time.ts';
import { configOf } from '../env.ts';
import { seal, unseal } from '../security/secret-box.ts';

/** An assistant. Its webhook secret stays sealed until a request is signed. */
export type Assistant = typeof assistants.$inferSelect;

/** Defaults. The debounce is long enough for a contact that writes in several short messages. */
export const ASSISTANT_DEFAULTS = { debounceMs: 1500, timeoutMs: 10_000, maxFailures: 3, history: 20 };

/** Includes deleted ones, so that they are known as deleted while D1 is unavailable. */
const cache = new DirectoryCache<Assistant | null>();

const notDeleted = (id: string) => and(eq(assistants.id, id), isNull(assistants.deletedAt));

export const insertAssistant = (env: Env, assistant: Assistant): Statement =>
  dbOf(env).insert(assistants).values(assistant);

export const sealSecret = (env: Env, secret: string): Promise<string> => seal(secret, configOf(env).ENCRYPTION_KEY);

export const secretOf = (env: Env, assistant: Assistant): Promise<string> =>
  unseal(assistant.secretSealed, configOf(env).ENCRYPTION_KEY);

/** The assistant of any customer. Cached for a few seconds, and longer while D1 is unavailable. */
export async function findAnyAssistant(env: Env, id: string): Promise<Assistant | null> {
  const load = async () => (await dbOf(env).select().from(assistants).where(eq(assistants.id, id)))[0] ?? null;
  const assistant = await cache.get(id, load);
  return assistant?.deletedAt === null ? assistant : null;
}

export async function findAssistant(env: Env, customerId: string, id: string): Promise<Assistant | null> {
  const found = await findAnyAssistant(env, id);
  return found?.customerId === customerId ? found : null;
}

export async function listAssistants(env: Env, customerId: string, request: PageRequest): Promise<Page<Assistant>> {
  const mine = and(
    eq(assistants.customerId, customerId),
    isNull(assistants.deletedAt),
    afterCursor(assistants, request.cursor),
  );
  const query = dbOf(env).select().from(assistants).where(mine);
  return pageOf(await query.orderBy(...newestFirst(assistants)).limit(request.size + 1), request.size);
}

export type AssistantChanges = Partial<Omit<Assistant, 'id' | 'customerId' | 'createdAt'>>;

export async function updateAssistant(env: Env, id: string, changes: AssistantChanges, updatedAt: Micros) {
  await dbOf(env)
    .update(assistants)
    .set({ ...changes, updatedAt })
    .where(notDeleted(id));
  cache.forget(id);
}
