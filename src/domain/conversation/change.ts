import type { Actor } from '../permissions.ts';
import { findBinding, bindingsOf } from './identity/bindings.ts';
import type { AiMode, ConversationState } from './state.ts';

/**
 * Who turned what over in a conversation, and why: a system entry in its timeline. The mode history and the assignment history are made
 * of these; they stand in the log beside the event that they explain, so they are committed with it or not at all.
 */
export interface Change {
  actor: Actor;
  reason: ChangeReason;
  mode: { from: AiMode; to: AiMode } | null;
  /** Agents; null for nobody. */
  owner: { from: string | null; to: string | null } | null;
  /** Whether the contact has just opted out (true) or in again (false); null when neither. */
  optOut: boolean | null;
}

export type ChangeReason =
  /** Somebody asked for it: an assignment, a mode, a closing. */
  | 'request'
  /** A person answered the contact, here or on the business's own device. */
  | 'reply'
  /** An assistant handed the conversation to people, or failed too often. */
  | 'handoff'
  | 'assistant_failed'
  /** The account names a flow that does not exist any more. */
  | 'flow_gone'
  /** Silence. */
  | 'timeout'
  /** The contact's own word (STOP, START), the provider's about it, or what another conversation with the contact has heard. */
  | 'contact'
  | 'provider'
  | 'elsewhere';

/** What is told apart from other changes between two states; null when nothing of it differs. */
export function changeBetween(
  before: ConversationState,
  after: ConversationState,
  { actor, reason }: Pick<Change, 'actor' | 'reason'>,
): Change | null {
  const mode = before.aiMode === after.aiMode ? null : { from: before.aiMode, to: after.aiMode };
  const owner = before.ownerId === after.ownerId ? null : { from: before.ownerId, to: after.ownerId };
  const optOut = consentBetween(before, after);
  return mode || owner || optOut !== null ? { actor, reason, mode, owner, optOut } : null;
}

function consentBetween(before: ConversationState, after: ConversationState): boolean | null {
  const turned = bindingsOf(after).find(
    (binding) => binding.optOut !== (findBinding(before, binding.addressName)?.optOut ?? false),
  );
  return turned ? turned.optOut : null;
}
