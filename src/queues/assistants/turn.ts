import { askAssistant, type Answer } from './ask.ts';
import type { AssistantTurnJob } from '../jobs.ts';
import { buildSendCommand, SEND_DEFAULTS } from '../../app/conversations/send.ts';
import { presentAssistantTurn } from '../../dialects/voipbin/assistant-turn.ts';
import type { TurnReport } from '../../domain/conversation/automation/decide-turn.ts';
import { obstacleToAll } from '../../domain/conversation/delivery/channel-choice.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { SECOND } from '../../domain/time.ts';
import { errorName, log } from '../../log.ts';
import { callObject, getConversation } from '../../objects/stubs.ts';
import { findAnyAssistant, type Assistant } from '../../storage/assistants.ts';

type Order = NonNullable<Awaited<ReturnType<ReturnType<typeof getConversation>['claimTurn']>>>;

/** On top of the assistant's own timeout, for reading its settings and reporting. */
const LEASE_MARGIN_MS = 15 * SECOND;

/**
 * One attempt at one turn: claim, ask, report. The object decides what the report means; the consumer never retries.
 * @throws when the report could not be delivered: the queue redelivers the job, and the claim's lease decides.
 */
export async function takeTurn(env: Env, job: AssistantTurnJob): Promise<void> {
  const { conversationId, turnId, attempt } = job;
  const assistant = await findAssistantOrWait(env, job);
  if (assistant === 'wait') return;
  const claim = {
    attempt,
    maxFailures: assistant?.maxFailures ?? 1,
    leaseMs: (assistant?.timeoutMs ?? 0) + LEASE_MARGIN_MS,
    history: assistant?.history ?? 0,
  };
  const order = await getConversation(env, conversationId).claimTurn(turnId, claim);
  if (!order) return;
  const report = { turnId, attempt, ...(await outcomeOf(env, assistant, order, job)) };
  await callObject(() => getConversation(env, conversationId).reportTurn(report));
}

/** `wait` while D1 does not respond: an unclaimed job returns when its publish lease expires, and does not count as a failure. */
async function findAssistantOrWait(env: Env, job: AssistantTurnJob): Promise<Assistant | null | 'wait'> {
  try {
    return await findAnyAssistant(env, job.assistantId);
  } catch (error) {
    log('warn', 'assistant could not be read, turn deferred', { assistant: job.assistantId, error: errorName(error) });
    return 'wait';
  }
}

type Outcome = Omit<TurnReport, 'turnId' | 'attempt'>;

async function outcomeOf(
  env: Env,
  assistant: Assistant | null,
  order: Order,
  { turnId, attempt, conversationId }: AssistantTurnJob,
): Promise<Outcome> {
  if (!assistant || assistant.customerId !== order.conversation.customerId) return { outcome: 'gone', answer: null };
  const asked = await askAssistant(env, assistant, turnId, JSON.stringify(presentAssistantTurn(turnId, order)));
  const answered = asked.ok ? await answerFrom(env, assistant, order, asked.value) : asked;
  if (answered.ok) return { outcome: 'answered', answer: answered.value };
  const facts = { conversation: conversationId, assistant: assistant.id, attempt, error: answered.error };
  log('warn', 'assistant failed', facts);
  return { outcome: 'failed', answer: null };
}

/** The answer as a message to everybody in the conversation, if any of their channels accepts it. */
async function answerFrom(
  env: Env,
  assistant: Assistant,
  { conversation }: Order,
  { text, handoff }: Answer,
): Promise<Result<NonNullable<Outcome['answer']>, string>> {
  if (text.trim() === '') return ok({ message: null, handoff });
  const request = {
    ...SEND_DEFAULTS,
    customerId: assistant.customerId,
    actor: { type: 'assistant' as const, id: assistant.id },
    actorName: assistant.name,
    fence: conversation.modeEpoch,
    text,
  };
  const command = await buildSendCommand(env, request, conversation);
  if (!command.ok) return err(command.error.code);
  return obstacleToAll(command.value.recipients) ? err('ANSWER_TOO_LONG') : ok({ message: command.value, handoff });
}
