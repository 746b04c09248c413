import type { ConversationAggregate } from './aggregate.ts';
import { publishTurn, type Turn } from '../../domain/conversation/automation/turns.ts';
import { SECOND, type Millis } from '../../domain/time.ts';
import { errorName, log as notice } from '../../log.ts';
import { enqueue, type AssistantTurnJob } from '../../queues/jobs.ts';

const REPUBLISH_MS = 2 * SECOND;

/** The drain towards the queue `assistant-turns`. */
export class TurnSink {
  readonly #env: Env;
  readonly #aggregate: ConversationAggregate;

  constructor(env: Env, aggregate: ConversationAggregate) {
    this.#env = env;
    this.#aggregate = aggregate;
  }

  /** Marks what is due as published, then queues it; what the queue refuses goes back to waiting. Never throws. */
  async drain(): Promise<void> {
    const now = Date.now();
    const due = this.#turns().filter((turn) => turn.phase === 'waiting' && turn.dueAt <= now);
    const conversationId = this.#aggregate.store.record()?.conversation.id;
    if (due.length === 0 || conversationId === undefined) return;
    this.#replace(due, (turn) => publishTurn(turn, now));
    try {
      await enqueue(
        this.#env.ASSISTANT_TURNS,
        due.map((turn) => jobOf(conversationId, turn)),
      );
    } catch (error) {
      notice('warn', 'turns not queued', { conversation: conversationId, count: due.length, error: errorName(error) });
      this.#putBack(due, Date.now() + REPUBLISH_MS);
    }
  }

  #turns(): Turn[] {
    return this.#aggregate.store.record()?.pending.turns ?? [];
  }

  /** Only those that nobody claimed meanwhile: a queue may take a batch and still answer with an error. */
  #putBack(due: Turn[], dueAt: Millis): void {
    const attempts = new Map(due.map((turn) => [turn.id, turn.attempt]));
    this.#replace(due, (turn) =>
      turn.phase === 'published' && turn.attempt === attempts.get(turn.id)
        ? { ...turn, phase: 'waiting', dueAt }
        : turn,
    );
  }

  #replace(chosen: Turn[], change: (turn: Turn) => Turn): void {
    const ids = new Set(chosen.map(({ id }) => id));
    const pending = this.#aggregate.store.record()?.pending;
    if (!pending) return;
    const turns = pending.turns.map((turn) => (ids.has(turn.id) ? change(turn) : turn));
    this.#aggregate.savePending({ ...pending, turns });
  }
}

const jobOf = (conversationId: string, turn: Turn): AssistantTurnJob => ({
  v: 1,
  conversationId,
  turnId: turn.id,
  assistantId: turn.assistantId,
  attempt: turn.attempt + 1,
});
