import { isMessageEvent, type ConversationEvent } from './events.ts';
import { MINUTE, type Millis } from '../time.ts';

/**
 * A contact's files are fetched from the provider into our own store, because the provider's go away. One task stands for one message
 * until the consumer reports it done: queues lose jobs.
 */
export interface FileTask {
  messageId: string;
  /** Times that it was queued. */
  attempts: number;
  /** Queue it from then on. */
  dueAt: Millis;
}

/** About a day in all; then the provider's own link is what is left. */
const MAX_ATTEMPTS = 12;
const delayOf = (attempts: number): Millis => MINUTE * Math.min(2 ** (attempts - 1), 240);

/** What the events add: files that came in, and messages whose files must go because they were deleted. */
export function withFileTasks(tasks: FileTask[], events: ConversationEvent[], now: Millis): FileTask[] {
  const wanted = events.flatMap((event) => (isMessageEvent(event) && concernsFiles(event) ? [event.message.id] : []));
  if (wanted.length === 0) return tasks;
  const others = tasks.filter(({ messageId }) => !wanted.includes(messageId));
  return [...others, ...wanted.map((messageId) => ({ messageId, attempts: 0, dueAt: now }))];
}

function concernsFiles({ type, message }: Extract<ConversationEvent, { message: unknown }>): boolean {
  if (message.direction !== 'incoming') return false;
  return type === 'message.deleted' || (type === 'message.created' && message.medias.some((m) => m.providerRef !== ''));
}

/** What is to be queued now, and the tasks afterwards. A task that was queued in vain often enough is given up. */
export function takeDue(tasks: FileTask[], now: Millis): { due: string[]; tasks: FileTask[] } {
  const due = tasks.filter(({ dueAt }) => dueAt <= now);
  if (due.length === 0) return { due: [], tasks };
  const again = due
    .map(({ messageId, attempts }) => ({ messageId, attempts: attempts + 1, dueAt: now + delayOf(attempts + 1) }))
    .filter(({ attempts }) => attempts <= MAX_ATTEMPTS);
  return {
    due: again.map(({ messageId }) => messageId),
    tasks: [...tasks.filter(({ dueAt }) => dueAt > now), ...again],
  };
}

export const nextFileAt = (tasks: FileTask[]): Millis | null =>
  tasks.length === 0 ? null : Math.min(...tasks.map(({ dueAt }) => dueAt));
