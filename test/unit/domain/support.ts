import { address } from '../../../src/domain/addresses.ts';
import type { InboundItem, Opening, SendCommand, Recipient } from '../../../src/domain/conversation/commands.ts';

import { newBinding } from '../../../src/domain/conversation/identity/bindings.ts';
import { openConversation } from '../../../src/domain/conversation/decide-inbound.ts';
import type { Actor } from '../../../src/domain/permissions.ts';
import { verifiedAddress } from '../../../src/domain/conversation/identity/participants.ts';
import type { ConversationState, NewParticipant, ChannelBinding } from '../../../src/domain/conversation/state.ts';

export const NOW = 1_700_000_000_000_000;

export const SOMEBODY: Actor = { type: 'accesskey', id: '55555555-5555-4555-8555-555555555555' };
export const BY = { actor: SOMEBODY, reason: 'request' } as const;

export const aPerson = (...targets: string[]): NewParticipant => ({
  id: '88888888-8888-4888-8888-888888888888',
  contactId: '99999999-0000-4000-8000-999999999999',
  name: '',
  preferredChannel: '',
  addresses: (targets.length > 0 ? targets : ['+15559876543']).map((target) =>
    verifiedAddress({ type: 'tel', target }),
  ),
});

export const anOpening = (parts: Partial<Opening> = {}): Opening => ({
  conversationId: '11111111-1111-4111-8111-111111111111',
  customerId: '22222222-2222-4222-8222-222222222222',
  addressName: 'pair',
  participants: [aPerson()],
  accountId: '33333333-3333-4333-8333-333333333333',
  type: 'message',
  dialogId: '+15559876543',
  name: 'SMS · +15559876543',
  detail: 'SMS conversation',
  self: address('tel', '+15550100000'),
  peer: address('tel', '+15559876543'),
  window: null,
  optOut: false,
  ...parts,
});

export const aConversation = (parts: Partial<ConversationState> = {}): ConversationState => ({
  ...openConversation(anOpening(), NOW),
  sequence: 1,
  ...parts,
});

type MessageItem = Extract<InboundItem, { kind: 'message' }>;

export const anInbound = (parts: Partial<MessageItem> = {}): MessageItem => ({
  kind: 'message',
  dedupeKey: 'sandbox:1',
  messageId: '44444444-4444-4444-8444-444444444444',
  text: 'hello',
  medias: [],
  senderId: '+15559876543',
  senderName: '',
  windowUntil: null,
  replyToken: null,
  ...parts,
});

export const DELIVERY_ID = '77777777-7777-4777-8777-777777777777';

/** The person of `aPerson`, by the binding of `anOpening` unless another one is given. */
export const aRecipient = (
  binding: ChannelBinding = newBinding(anOpening()),
  { deliveryId = DELIVERY_ID, participantId = aPerson().id } = {},
): Recipient => ({
  participantId,
  deliveryId,
  options: [{ binding, obstacle: null, segments: null, fallsBack: false }],
});

export const aSend = (parts: Partial<SendCommand> = {}): SendCommand => ({
  customerId: '22222222-2222-4222-8222-222222222222',
  actor: { type: 'accesskey', id: '55555555-5555-4555-8555-555555555555' },
  actorName: '',
  takeover: false,
  fence: null,
  activeflowId: null,
  asOwner: null,
  messageId: '66666666-6666-4666-8666-666666666666',
  text: 'hi',
  medias: [],
  template: null,
  clientId: '',
  recipients: [aRecipient()],
  channel: '',
  expectedSequence: null,
  idempotency: null,
  settings: { idleMs: 1000, closeMs: 5000, publicUrl: '' },
  ...parts,
});
