import { isStopped } from './commands.ts';
import type { ConversationAggregate } from './aggregate.ts';
import type { IdempotencyClaim, SendCommand } from '../../domain/conversation/commands.ts';
import { openConversation } from '../../domain/conversation/decide-inbound.ts';
import { decideSend } from '../../domain/conversation/decide-send.ts';
import type { ConversationState, Message } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import { isMessageEvent, type NewConversationEvent } from '../../domain/conversation/events.ts';
import { fromLogRow } from '../../domain/conversation/log-row.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { HOUR, type Micros } from '../../domain/time.ts';

const KEY_LIFE_MS = 24 * HOUR;
/** As many unseen messages as a 412 lists. */
const UNSEEN_LIMIT = 100;

/** Accepts a message once per idempotency key and once per message id (a repeated RPC). The answer is the message as it was accepted. */
export function send(aggregate: ConversationAggregate, command: SendCommand): Result<Message, Refusal> {
  const earlier = earlierAnswer(aggregate, command);
  if (earlier) return earlier;
  const at = aggregate.now();
  const found = standing(aggregate, command, at);
  if (!found.ok) return found;
  const { state, opened } = found.value;
  if (isStopped(aggregate, command.activeflowId)) return err({ code: 'ACTIVEFLOW_STOPPED' });
  const unseen =
    command.expectedSequence === null ? [] : aggregate.store.messagesAfter(command.expectedSequence, UNSEEN_LIMIT);
  const decided = decideSend(state, command, unseen, at);
  if (!decided.ok) return decided;
  const { idempotency, settings } = command;
  const rows = () =>
    idempotency &&
    aggregate.store.keys.save(keyOf(idempotency), usedBy(command, idempotency), Date.now() + KEY_LIFE_MS);
  aggregate.commit([...opened, ...decided.value], at, { ...(settings ? { settings } : {}), rows });
  return asAccepted(aggregate, command.messageId);
}

interface Standing {
  state: ConversationState;
  /** What makes it, where it is new: nothing of it stays when the message is refused. */
  opened: NewConversationEvent[];
}

function standing(
  aggregate: ConversationAggregate,
  { customerId, first }: SendCommand,
  at: Micros,
): Result<Standing, Refusal> {
  if (aggregate.isErased()) return err({ code: first ? 'CONVERSATION_CLOSED' : 'CONVERSATION_NOT_FOUND' });
  if (first && !aggregate.store.record()) {
    const state = openConversation(first, at);
    return ok({ state, opened: [{ type: 'conversation.created', conversation: state, change: null }] });
  }
  const found = aggregate.find(customerId);
  if (found.ok) return ok({ state: found.value, opened: [] });
  // A deleted conversation is over: the contact's next one takes the message.
  return first ? err({ code: 'CONVERSATION_CLOSED' }) : found;
}

const keyOf = (claim: IdempotencyClaim): string => `api:${claim.key}`;

const usedBy = (command: SendCommand, claim: IdempotencyClaim) => ({
  messageId: command.messageId,
  fingerprint: claim.fingerprint,
});

/** Also where the conversation is over, or deleted, since. */
export function earlierAnswer(
  aggregate: ConversationAggregate,
  command: Pick<SendCommand, 'customerId' | 'messageId' | 'idempotency'>,
): Result<Message, Refusal> | null {
  if (aggregate.store.record()?.conversation.customerId !== command.customerId) return null;
  if (aggregate.store.message(command.messageId)) return asAccepted(aggregate, command.messageId);
  if (!command.idempotency) return null;
  const used = aggregate.store.keys.used(keyOf(command.idempotency), Date.now());
  if (!used) return null;
  if (used.fingerprint !== command.idempotency.fingerprint) return err({ code: 'IDEMPOTENCY_KEY_REUSED' });
  return asAccepted(aggregate, used.messageId);
}

/** The message as its first event had it, so that a repeated request gets the same answer while the send goes on. */
function asAccepted(aggregate: ConversationAggregate, messageId: string): Result<Message, Refusal> {
  const message = aggregate.store.message(messageId);
  const row = message && aggregate.log.after(message.sequence - 1, 1)[0];
  const event = row ? fromLogRow(row, message) : null;
  return event && isMessageEvent(event) ? ok(event.message) : err({ code: 'CONVERSATION_MESSAGE_NOT_FOUND' });
}
