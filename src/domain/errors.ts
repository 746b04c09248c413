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
  PERMISSION_DENIED: 'the caller may not do this',
  CONVERSATION_NOT_FOUND: 'there is no such conversation',
  CONVERSATION_MESSAGE_NOT_FOUND: 'there is no such message in this conversation',
  CONVERSATION_CLOSED: 'the conversation is closed; the next message of the contact opens a new one',
  MODE_CHANGED: 'the conversation was taken over since this work began',
  CONTACT_OPTED_OUT: 'the contact opted out: nothing may be sent until it opts in again',
  WINDOW_CLOSED: 'the time for free text is over: send a template, or wait for the contact to write',
  NO_CHANNEL_AVAILABLE: 'no account of yours reaches anybody in this conversation that way',
  PARTICIPANT_NOT_FOUND: 'there is no such participant in this conversation',
  ACTIVEFLOW_STOPPED: 'the activeflow was stopped',
  TALK_NOT_FOUND: 'there is no such talk',
  TALK_MESSAGE_NOT_FOUND: 'there is no such message',
  TALK_PARTICIPANT_NOT_FOUND: 'there is no such participant in this talk',
  TALK_CLOSED: 'the talk is closed: reopen it first',
  IDEMPOTENCY_KEY_REUSED: 'this Idempotency-Key was used with another request',
  INVALID_FIELD: 'a field is not valid',
  SEQUENCE_MISMATCH: 'there are messages that the sender has not seen',
};
