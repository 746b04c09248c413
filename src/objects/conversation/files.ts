import type { ConversationAggregate } from './aggregate.ts';
import { queueOutbox } from '../runtime/drains.ts';
import { takeDue } from '../../domain/conversation/automation/automation.ts';
import type { Message } from '../../domain/conversation/state.ts';
import type { Millis } from '../../domain/time.ts';
import type { FileCopyJob } from '../../queues/jobs.ts';

/** The drain towards the queue `file-copies`. A task is queued again at growing intervals until its consumer reports it done. */
export const fileOutbox = (env: Env, aggregate: ConversationAggregate): (() => Promise<void>) =>
  queueOutbox({
    name: 'file copies',
    queue: env.FILE_COPIES,
    publish: (now) => publishDue(aggregate, now),
    // A job that the queue refused is like one that it lost: the task comes due again.
    putBack: () => undefined,
  });

function publishDue(aggregate: ConversationAggregate, now: Millis): FileCopyJob[] {
  const { record } = aggregate;
  if (!record) return [];
  const { due, tasks } = takeDue(record.pending.files, now);
  if (tasks === record.pending.files) return [];
  aggregate.commit({ record: { pending: { ...record.pending, files: tasks } } });
  return due.map((messageId) => ({ v: 1, conversationId: record.conversation.id, messageId }));
}

/** What the consumer of `file-copies` needs of a message. */
export type FileOrder = Pick<Message, 'customerId' | 'accountId' | 'medias' | 'deletedAt'>;

/** Also of a message that was deleted: its files have to go. Null: there is no such message. */
export function fileOrder(aggregate: ConversationAggregate, messageId: string): FileOrder | null {
  const message = aggregate.stored.message(messageId);
  if (!message) return null;
  const { customerId, accountId, medias, deletedAt } = message;
  return { customerId, accountId, medias, deletedAt };
}

/** The message's files are stored, or deleted with it. `wasDeleted`: as the consumer saw it; a deletion may have overtaken it. */
export function filesDone(aggregate: ConversationAggregate, messageId: string, wasDeleted: boolean): void {
  const pending = aggregate.record?.pending;
  const message = aggregate.stored.message(messageId);
  if (!pending || (message && (message.deletedAt !== null) !== wasDeleted)) return;
  const files = pending.files.filter((task) => task.messageId !== messageId);
  aggregate.commit({ record: { pending: { ...pending, files } } });
}
