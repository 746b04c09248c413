import type { Message } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import type { Result } from '../../domain/result.ts';
import type { Micros } from '../../domain/time.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
import type { Cursor } from '../../storage/page.ts';

/** Rows before the cursor of a page, as `listMergedMessages` is to ask for them: within one conversation no two share a time. */
export const askedBefore = (cursor: Cursor | null): Micros | null =>
  cursor && (cursor.id === null ? cursor.at : cursor.at + 1);

/** What shares the time of the cursor, which stands in another conversation, and was on the page before. */
export const isShown = ({ createdAt, id }: Message, cursor: Cursor | null): boolean =>
  cursor !== null && cursor.id !== null && createdAt === cursor.at && id >= cursor.id;

/**
 * The messages of a conversation, and of those that were merged into it, as one history: newest first. `list` gives as many of one of
 * them as the page needs; one that does not answer for its messages (not begun, deleted) has none.
 */
export async function listMergedMessages(
  env: Env,
  customerId: string,
  id: string,
  list: (id: string) => Promise<Result<Message[], Refusal>>,
): Promise<Message[]> {
  const state = await callObject(() => getConversation(env, id).read(customerId));
  if (!state.ok) return [];
  const lists = await Promise.all([id, ...state.value.mergedFrom].map(list));
  const found = lists.flatMap((each) => (each.ok ? each.value : []));
  return lists.length === 1 ? found : found.toSorted(newestFirst);
}

const newestFirst = (one: Message, other: Message): number =>
  other.createdAt - one.createdAt || (other.id < one.id ? -1 : 1);
