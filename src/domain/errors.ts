import type { Template } from './content.ts';
import type { Message } from './conversation/state.ts';

/** Every expected failure of the product. The code is the text on the wire; http/errors.ts gives each its status. */
export type Refusal =
  /** Somebody acts on what is not, or is no longer, theirs: a conversation's owner, a talk's participant, a message's author. */
  | { code: 'PERMISSION_DENIED' }
  | { code: 'CONVERSATION_NOT_FOUND' }
  | { code: 'CONVERSATION_MESSAGE_NOT_FOUND' }
  | { code: 'CONVERSATION_CLOSED' }
  /** No account that could carry the message exists any more. */
  | { code: 'CONVERSATION_ACCOUNT_GONE' }
  /** People took over since the caller's work began (spec section 5, fencing). */
  | { code: 'MODE_CHANGED' }
  | { code: 'CONTACT_OPTED_OUT' }
  /** The channel's service window is over: only templates may be sent. `templates`: those that could be, as far as the provider lists them. */
  | { code: 'WINDOW_CLOSED'; templates?: Template[] }
  /** The provider does not list its templates now. `providerError`: its code. */
  | { code: 'TEMPLATES_NOT_AVAILABLE'; providerError: string }
  | { code: 'PARTICIPANT_NOT_FOUND' }
  /** Another open conversation holds one of the addresses. */
  | { code: 'ADDRESS_TAKEN'; conversationIds: string[] }
  /** Nobody in the conversation can be written to as the sender wants. */
  | { code: 'NO_CHANNEL_AVAILABLE'; problem?: string }
  | { code: 'CONTACT_NOT_FOUND' }
  /** `contactMergeId`: the merger in the way, where there is one. */
  | { code: 'ALREADY_EXISTS'; problem: string; contactMergeId?: string }
  | { code: 'RESOURCE_NOT_FOUND'; problem: string }
  | { code: 'MEDIA_NOT_AVAILABLE'; problem: string }
  | { code: 'ACTIVEFLOW_STOPPED' }
  | { code: 'TALK_NOT_FOUND' }
  | { code: 'TALK_MESSAGE_NOT_FOUND' }
  | { code: 'TALK_PARTICIPANT_NOT_FOUND' }
  | { code: 'TALK_CLOSED' }
  | { code: 'IDEMPOTENCY_KEY_REUSED' }
  /** A provider's webhook that its channel does not accept. */
  | { code: 'INVALID_SIGNATURE'; problem: string }
  | { code: 'INVALID_HOOK_BODY'; problem: string }
  /** A field of the command that the caller's schema could not judge. */
  | { code: 'INVALID_FIELD'; field: string; problem: string }
  | { code: 'SEQUENCE_MISMATCH'; sequence: number; unseen: Message[] }
  /** Others hold what this needs (a lock) for too long. */
  | { code: 'SERVICE_UNAVAILABLE' };

export const REFUSAL_MESSAGES: Record<Refusal['code'], string> = {
  PERMISSION_DENIED: 'you do not have permission to do this',
  CONVERSATION_NOT_FOUND: 'the conversation does not exist',
  CONVERSATION_MESSAGE_NOT_FOUND: 'the conversation has no such message',
  CONVERSATION_CLOSED: 'the conversation is closed; the contact’s next message opens a new one',
  CONVERSATION_ACCOUNT_GONE: 'the account of this conversation no longer exists',
  MODE_CHANGED: 'a person took over the conversation after this work began',
  CONTACT_OPTED_OUT: 'the contact opted out: nothing can be sent until the contact opts in again',
  WINDOW_CLOSED: 'the messaging window is closed: send a template, or wait for the contact to write',
  TEMPLATES_NOT_AVAILABLE: 'the provider did not return its templates',
  ADDRESS_TAKEN: 'another open conversation already has one of these addresses',
  NO_CHANNEL_AVAILABLE: 'none of your accounts can reach anyone in this conversation that way',
  PARTICIPANT_NOT_FOUND: 'the conversation has no such participant',
  CONTACT_NOT_FOUND: 'the contact does not exist',
  ALREADY_EXISTS: 'it already exists',
  RESOURCE_NOT_FOUND: 'the resource does not exist',
  MEDIA_NOT_AVAILABLE: 'the file does not exist',
  ACTIVEFLOW_STOPPED: 'the activeflow was stopped',
  TALK_NOT_FOUND: 'the talk does not exist',
  TALK_MESSAGE_NOT_FOUND: 'the message does not exist',
  TALK_PARTICIPANT_NOT_FOUND: 'the talk has no such participant',
  TALK_CLOSED: 'the talk is closed; reopen it first',
  IDEMPOTENCY_KEY_REUSED: 'this Idempotency-Key was already used with a different request',
  INVALID_SIGNATURE: 'the signature is missing or wrong',
  INVALID_HOOK_BODY: 'the body is not what this provider sends',
  INVALID_FIELD: 'a field is invalid',
  SEQUENCE_MISMATCH: 'the conversation has messages that the sender has not seen',
  SERVICE_UNAVAILABLE: 'a service that this request needs is not responding; try again',
};
