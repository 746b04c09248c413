import type { Message } from './conversation/state.ts';

/** Every expected failure of the product. The code is the text on the wire; http/errors.ts gives each its status. */
export type Refusal =
  /** Somebody acts as the owner of a conversation that is not, or no longer, theirs. */
  | { code: 'PERMISSION_DENIED' }
  | { code: 'CONVERSATION_NOT_FOUND' }
  | { code: 'CONVERSATION_MESSAGE_NOT_FOUND' }
  | { code: 'CONVERSATION_CLOSED' }
  | { code: 'IDEMPOTENCY_KEY_REUSED' }
  | { code: 'SEQUENCE_MISMATCH'; sequence: number; unseen: Message[] };
