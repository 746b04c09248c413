import type { Message } from './conversation/state.ts';

/** Every expected failure of the product. The code is the text on the wire; http/errors.ts gives each its status. */
export type Refusal =
  /** Somebody acts in what is not, or no longer, theirs: a conversation's owner, a talk's participant, a message's author. */
  | { code: 'PERMISSION_DENIED' }
  | { code: 'CONVERSATION_NOT_FOUND' }
  | { code: 'CONVERSATION_MESSAGE_NOT_FOUND' }
  | { code: 'CONVERSATION_CLOSED' }
  /** People took over since the caller's work began (spec section 5, fencing). */
  | { code: 'MODE_CHANGED' }
  | { code: 'CONTACT_OPTED_OUT' }
  /** The channel's time for free text is over: templates alone may be sent. */
  | { code: 'WINDOW_CLOSED' }
  | { code: 'PARTICIPANT_NOT_FOUND' }
  /** Nobody in the conversation can be written to as the sender wants. */
  | { code: 'NO_CHANNEL_AVAILABLE' }
  | { code: 'ACTIVEFLOW_STOPPED' }
  | { code: 'TALK_NOT_FOUND' }
  | { code: 'TALK_MESSAGE_NOT_FOUND' }
  | { code: 'TALK_PARTICIPANT_NOT_FOUND' }
  | { code: 'TALK_CLOSED' }
  | { code: 'IDEMPOTENCY_KEY_REUSED' }
  /** A field of the command that only the object could judge. */
  | { code: 'INVALID_FIELD'; field: string; problem: string }
  | { code: 'SEQUENCE_MISMATCH'; sequence: number; unseen: Message[] };

export const REFUSAL_MESSAGES: Record<Refusal['code'], string> = {
  PERMISSION_DENIED: 'you do not have permission to do this',
  CONVERSATION_NOT_FOUND: 'the conversation does not exist',
  CONVERSATION_MESSAGE_NOT_FOUND: 'the conversation has no such message',
  CONVERSATION_CLOSED: 'the conversation is closed; the contact’s next message opens a new one',
  MODE_CHANGED: 'a person took over the conversation after this work began',
  CONTACT_OPTED_OUT: 'the contact opted out: nothing can be sent until the contact opts in again',
  WINDOW_CLOSED: 'the messaging window is closed: send a template, or wait for the contact to write',
  NO_CHANNEL_AVAILABLE: 'none of your accounts can reach anyone in this conversation that way',
  PARTICIPANT_NOT_FOUND: 'the conversation has no such participant',
  ACTIVEFLOW_STOPPED: 'the activeflow was stopped',
  TALK_NOT_FOUND: 'the talk does not exist',
  TALK_MESSAGE_NOT_FOUND: 'the message does not exist',
  TALK_PARTICIPANT_NOT_FOUND: 'the talk has no such participant',
  TALK_CLOSED: 'the talk is closed; reopen it first',
  IDEMPOTENCY_KEY_REUSED: 'this Idempotency-Key was already used with a different request',
  INVALID_FIELD: 'a field is invalid',
  SEQUENCE_MISMATCH: 'the conversation has messages that the sender has not seen',
};
