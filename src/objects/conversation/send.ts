import { isStopped } from './commands.ts';
import type { Room } from './room.ts';
import type { IdempotencyClaim, SendCommand } from '../../domain/conversation/commands.ts';
import { decideSend } from '../../domain/conversation/decide-send.ts';
import type { Message } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import { isMessageEvent } from '../../domain/conversation/events.ts';
import { fromLogRow } from '../../domain/conversation/log-row.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { HOUR } from '../../domain/time.ts';

const KEY_LIFE_MS = 24 * HOUR;
/** As many unseen messages as a 412 lists. */
const UNSEEN_LIMIT = 100;

/** Accepts a message once per idempotency key and once per message id (a repeated RPC). The answer is the message as it was accepted. */
export function send(room: Room, command: SendCommand): Result<Message, Refusal> {
  const found = room.find(command.customerId);
  if (!found.ok) return found;
  const earlier = earlierAnswer(room, command);
  if (earlier) return earlier;
  if (isStopped(room, command.activeflowId)) return err({ code: 'ACTIVEFLOW_STOPPED' });
  const at = room.now();
  const unseen =
    command.expectedSequence === null ? [] : room.store.messagesAfter(command.expectedSequence, UNSEEN_LIMIT);
  const decided = decideSend(found.value, command, unseen, at);
  if (!decided.ok) return decided;
  const { idempotency, settings } = command;
  const rows = () =>
    idempotency && room.store.keys.save(keyOf(idempotency), usedBy(command, idempotency), Date.now() + KEY_LIFE_MS);
  room.commit(decided.value, at, { ...(settings ? { settings } : {}), rows });
  return asAccepted(room, command.messageId);
}

const keyOf = (claim: IdempotencyClaim): string => `api:${claim.key}`;

const usedBy = (command: SendCommand, claim: IdempotencyClaim) => ({
  messageId: command.messageId,
  fingerprint: claim.fingerprint,
});

function earlierAnswer(room: Room, command: SendCommand): Result<Message, Refusal> | null {
  if (room.store.message(command.messageId)) return asAccepted(room, command.messageId);
  if (!command.idempotency) return null;
  const used = room.store.keys.used(keyOf(command.idempotency), Date.now());
  if (!used) return null;
  if (used.fingerprint !== command.idempotency.fingerprint) return err({ code: 'IDEMPOTENCY_KEY_REUSED' });
  return asAccepted(room, used.messageId);
}

/** The message as its first event had it, so that a repeated request gets the same answer while the send goes on. */
function asAccepted(room: Room, messageId: string): Result<Message, Refusal> {
  const message = room.store.message(messageId);
  const row = message && room.log.after(message.sequence - 1, 1)[0];
  const event = row ? fromLogRow(row, message) : null;
  return event && isMessageEvent(event) ? ok(event.message) : err({ code: 'CONVERSATION_MESSAGE_NOT_FOUND' });
}
