import type { Room } from './aggregate.ts';
import { takeDue } from '../../domain/conversation/files.ts';
import { errorName, log as notice } from '../../log.ts';
import { enqueue } from '../../queues/jobs.ts';

/** The drain towards the queue `file-copies`. A task stays until its consumer has reported it; a queue that refuses is asked again later. */
export class FileSink {
  readonly #env: Env;
  readonly #room: Room;

  constructor(env: Env, room: Room) {
    this.#env = env;
    this.#room = room;
  }

  /** Never throws. */
  async drain(): Promise<void> {
    const record = this.#room.store.record();
    if (!record) return;
    const { due, tasks } = takeDue(record.pending.files, Date.now());
    if (tasks === record.pending.files) return;
    this.#room.savePending({ ...record.pending, files: tasks });
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
