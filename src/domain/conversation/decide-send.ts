import { err, ok, type Result } from '../result.ts';
import type { NewConversationEvent } from './events.ts';
import type { Refusal } from '../errors.ts';
import type { Micros } from '../time.ts';
import type { SendCommand } from './commands.ts';
import { changeMode, mayActAs } from './decide-change.ts';
import type { ConversationState, Message } from './state.ts';

/**
 * A message to the contact. `unseen` are the live messages after the sender's `If-Match` sequence:
 * receipts and edits of the conversation do not make a reply stale, a message that the sender has not read does.
 * A sequence from the future is of another conversation.
 */
export function decideSend(
  state: ConversationState,
  command: SendCommand,
  unseen: Message[],
  at: Micros,
): Result<NewConversationEvent[], Refusal> {
  if (!mayActAs(state, command.asOwner)) return err({ code: 'PERMISSION_DENIED' });
  if (state.lifecycle === 'closed') return err({ code: 'CONVERSATION_CLOSED' });
  const expected = command.expectedSequence;
  if (expected !== null && (unseen.length > 0 || expected > state.sequence)) {
    return err({ code: 'SEQUENCE_MISMATCH', sequence: state.sequence, unseen });
  }
  const next = afterSend(state, command, at);
  const changed: NewConversationEvent[] = next ? [{ type: 'conversation.updated', conversation: next }] : [];
  const message = outgoing(next ?? state, command, at);
  return ok([...changed, { type: 'message.created', message, becameDone: false }]);
}

/** A person's reply to an unowned conversation takes it over (spec section 11); any message wakes an idle one. */
function afterSend(state: ConversationState, command: SendCommand, at: Micros): ConversationState | null {
  const takesOver = command.actor.type === 'agent' && state.ownerId === null;
  const mode = takesOver ? changeMode(state, 'human', at) : null;
  if (state.lifecycle === 'active') return mode;
  return { ...(mode ?? state), lifecycle: 'active', updatedAt: at };
}

function outgoing(state: ConversationState, command: SendCommand, at: Micros): Message {
  const delivery = {
    id: command.deliveryId,
    accountId: state.accountId,
    target: state.peer.target,
    status: 'queued' as const,
    attempts: 0,
    providerId: '',
    error: null,
    uncertain: false,
    segments: command.segments,
    updatedAt: at,
  };
  return {
    id: command.messageId,
    conversationId: state.id,
    customerId: state.customerId,
    accountId: state.accountId,
    sequence: 0,
    direction: 'outgoing',
    channel: state.type,
    referenceId: state.dialogId,
    text: command.text,
    medias: command.medias,
    source: state.self,
    destination: state.peer,
    sender: { ...command.actor, name: command.actorName },
    clientId: command.clientId,
    deliveries: [delivery],
    createdAt: at,
    updatedAt: at,
    deletedAt: null,
  };
}
