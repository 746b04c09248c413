import type { ConversationAggregate } from './aggregate.ts';
import type { Message } from '../../domain/conversation/state.ts';

/** What the consumer of `file-copies` needs of a message. */
export type FileOrder = Pick<Message, 'customerId' | 'accountId' | 'medias' | 'deletedAt'>;

/** Also of a message that was deleted: its files have to go. Null: there is no such message. */
export function fileOrder(aggregate: ConversationAggregate, messageId: string): FileOrder | null {
  const message = aggregate.store.record() && aggregate.store.message(messageId);
  if (!message) return null;
  const { customerId, accountId, medias, deletedAt } = message;
  return { customerId, accountId, medias, deletedAt };
}

/** The message's files are kept, or gone with it. `wasDeleted`: as the consumer saw it, which a deletion may have overtaken. */
export function filesDone(aggregate: ConversationAggregate, messageId: string, wasDeleted: boolean): void {
  const pending = aggregate.store.record()?.pending;
  const message = aggregate.store.record() && aggregate.store.message(messageId);
  if (!pending || (message && (message.deletedAt !== null) !== wasDeleted)) return;
  aggregate.savePending({ ...pending, files: pending.files.filter((task) => task.messageId !== messageId) });
}
