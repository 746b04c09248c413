import { err, ok, type Result } from '../result.ts';
import type { NewConversationEvent } from './events.ts';
import type { Refusal } from '../errors.ts';
import type { Micros } from '../time.ts';
import type { SendCommand } from './commands.ts';
import { isFencedOut, mayActAs, takeOver, updating, isOver } from './decide-change.ts';
import { activate, activeBinding } from './identity/bindings.ts';
import { newMessage } from './decide-message.ts';
import { progressOfMessage } from './delivery/delivery-status.ts';
import { routeOf, type Route } from './delivery/channel-choice.ts';
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
  if (isOver(state)) return err({ code: 'CONVERSATION_CLOSED' });
  if (isFencedOut(state, command.fence)) return err({ code: 'MODE_CHANGED' });
  const routed = routeOf(state, command, at);
  if (!routed.ok) return routed;
  const { seen } = routed.value;
  const expected = command.expectedSequence;
  if (expected !== null && (unseen.length > 0 || expected > state.sequence)) {
    return err({ code: 'SEQUENCE_MISMATCH', sequence: state.sequence, unseen });
  }
  const next = afterSend(seen, command, at) ?? seen;
  const by = { actor: command.actor, reason: 'reply' } as const;
  const changed = next === state ? [] : [updating(state, activate(next, activeBinding(state)), by)];
  const message = outgoing(next, command, routed.value, at);
  const becameDone = progressOfMessage(message.deliveries) === 'done';
  const fallbackOptions = Object.entries(routed.value.fallbackOptions).filter(([, options]) => options.length > 0);
  const kept = fallbackOptions.length > 0 ? { fallbackOptions: Object.fromEntries(fallbackOptions) } : {};
  return ok([...changed, { type: 'message.created', message, becameDone, ...kept }]);
}

const takesOver = (command: SendCommand): boolean => command.takeover || command.actor.type === 'agent';

/** A person's reply takes the conversation over, from whatever answered before (spec section 5); any message wakes an idle one. */
function afterSend(state: ConversationState, command: SendCommand, at: Micros): ConversationState | null {
  const mode = takesOver(command) ? takeOver(state, at) : null;
  if (state.lifecycle === 'active' && !state.archived) return mode;
  return { ...(mode ?? state), lifecycle: 'active', archived: false, updatedAt: at };
}

const outgoing = (
  state: ConversationState,
  command: SendCommand,
  { deliveries, routing }: Route,
  at: Micros,
): Message => ({
  ...newMessage(state, command, at),
  direction: 'outgoing',
  source: state.self,
  destination: state.peer,
  sender: { ...command.actor, name: command.actorName },
  clientId: command.clientId,
  template: command.template,
  ...(command.subject ? { mail: { subject: command.subject, messageId: '', references: [] } } : {}),
  // What takes over is not fenced by its own takeover.
  fence: takesOver(command) ? null : command.fence,
  deliveries,
  routing,
});
