import type { ConversationAggregate } from './aggregate.ts';
import { takeDue } from '../../domain/conversation/files.ts';
import { errorName, log as notice } from '../../log.ts';
import { enqueue } from '../../queues/jobs.ts';

/** The drain towards the queue `file-copies`. A task stays until its consumer has reported it; a queue that refuses is asked again later. */
export class FileSink {
  readonly #env: Env;
  readonly #aggregate: ConversationAggregate;

  constructor(env: Env, aggregate: ConversationAggregate) {
    this.#env = env;
    this.#aggregate = aggregate;
  }

  /** Never throws. */
  async drain(): Promise<void> {
    const record = this.#aggregate.store.record();
    if (!record) return;
    const { due, tasks } = takeDue(record.pending.files, Date.now());
    if (tasks === record.pending.files) return;
    this.#aggregate.savePending({ ...record.pending, files: tasks });
    const { id: conversationId } = record.conversation;
    try {
      await enqueue(
        this.#env.FILE_COPIES,
        due.map((messageId) => ({ v: 1, conversationId, messageId })),
      );
    } catch (error) {
      notice('warn', 'file copies not queued', { conversation: conversationId, error: errorName(error) });
    }
  }
}
