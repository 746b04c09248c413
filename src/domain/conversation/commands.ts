import type { Address } from '../addresses.ts';
import type { Media, TemplateUse } from '../content.ts';

import type { Actor } from '../permissions.ts';
import type { Micros, Millis } from '../time.ts';

import type {
  AiMode,
  MailFacts,
  ProviderError,
  Settings,
  NewParticipant,
  ChannelBinding,
  ChannelOption,
  DeliveryStatus,
} from './state.ts';

import type { ServiceWindow } from './delivery/service-window.ts';

/** What a conversation needs to come into being. Sent along with every inbound item, used by the first one only. */
export interface Opening {
  /**
   * Set where the channel allows free text for a time after each message of the contact only (delivery/service-window.ts); null elsewhere.
   * `left`: what the contact's last conversation has left of it.
   */
  window: { humanExtraMs: Millis; left: ServiceWindow | null } | null;
  /** What the AddressObject knows of the contact's consent. */
  optOut: boolean;
  conversationId: string;
  customerId: string;
  /** Who is in it from the beginning, unless the contact introduces itself. */
  participants: NewParticipant[];
  /** Set where the contact says, or has proved, who it is (a visitor of the web chat). */
  introduction?: Introduction;
  /** The text that names the AddressObject of this pair of addresses (stubs.ts): it is told of opt-outs. */
  addressName: string;
  accountId: string;
  type: string;
  dialogId: string;
  name: string;
  detail: string;
  self: Address;
  peer: Address;
}

/** Who a contact is. A new conversation begins with this person; one that is there learns about its participant from it. */
export interface Introduction {
  person: NewParticipant;
  /** What reaches the person beside the binding that it uses: answers may go there when it has left. */
  bindings: ChannelBinding[];
}

interface InboundBase {
  /** The provider's own id of this item; the same key a second time changes nothing. */
  dedupeKey: string;
}

/** What a contact did, in the core's words. Every channel adapter translates into these. */
export type InboundItem =
  | (InboundBase & {
      kind: 'message';
      messageId: string;
      text: string;
      medias: Media[];
      senderId: string;
      senderName: string;
      /** Until when it allows free text; null on channels without such a window. */
      windowUntil: Millis | null;
      mail?: MailFacts;
      /** The sender's own name for it, where it has one (web chat). */
      clientId?: string;
      /** False for what asks for no answer of automation: a reaction, a notice. Absent: true. */
      isAnswerable?: boolean;
      /** The provider says it, not the contact: it opens no window, and says nothing of the contact's wishes. */
      isNotice?: boolean;
      /** The provider's own reading of a STOP or START, which knows more languages than we do (Twilio's Advanced Opt-Out). */
      optOut?: boolean;
      replyToken: ReplyToken | null;
    })
  /** What the business itself wrote to the contact, on a device or in an inbox of the provider: a person's reply made elsewhere. */
  | (InboundBase & {
      kind: 'echo';
      messageId: string;
      deliveryId: string;
      text: string;
      medias: Media[];
      providerId: string;
    })
  /** Everything that we had sent until then has reached the contact, or has been read (Messenger's watermarks). */
  | (InboundBase & { kind: 'watermark'; status: 'delivered' | 'read'; until: Micros })
  /** The contact took a message back: its content must be hidden (LINE `unsend`). */
  | (InboundBase & { kind: 'redaction'; targetKey: string })
  /** The contact can be reached from now on, or no longer (LINE `follow`, `unfollow`, `join`, `leave`). */
  | (InboundBase & { kind: 'reachability'; reachable: boolean; replyToken: ReplyToken | null });

/** A provider's permission to answer once, for a short time, at no cost (LINE). */
export interface ReplyToken {
  token: string;
  expiresAt: Millis;
}

/** Who answers on an account while no person does: its flow, or else its assistant. Ids are made up by the caller, used if needed. */
export interface Automation {
  flow: { id: string; activeflowId: string } | null;
  assistant: { id: string; debounceMs: Millis } | null;
}

export interface ReceiveCommand {
  opening: Opening;
  automation: Automation;
  item: InboundItem;
  settings: Settings;
}

export interface SendCommand {
  customerId: string;
  actor: Actor;
  actorName: string;
  /** True when this send takes the conversation over although no person makes it (`"takeover": true` with an access key). */
  takeover: boolean;
  /** The mode epoch in which the work behind this message began: refused with MODE_CHANGED when that is over. Null: never. */
  fence: number | null;
  /** The activeflow that sends; one that was stopped may not. */
  activeflowId: string | null;
  /** The agent that sends because it owns the conversation; null for those who may send in any. */
  asOwner: string | null;
  messageId: string;
  text: string;
  medias: Media[];
  /** Set when the message is a template of the provider's: `text` is how it reads. */
  template: TemplateUse | null;
  clientId: string;
  /** Who gets it, with every channel option of each. The best option is chosen where the message is committed. */
  recipients: Recipient[];
  /** The conversation type that the sender wants it to go by, or empty. */
  channel: string;
  /** For those who get it by e-mail; empty or absent: that of the thread. */
  subject?: string;
  /** The sender's view of the log (`If-Match`); null sends whatever has happened. */
  expectedSequence: number | null;
  idempotency: IdempotencyClaim | null;
  /** Null keeps those that the conversation has: flows and assistants know no newer ones. */
  settings: Settings | null;
  /** From a sender that names a contact and not a conversation: the message opens the conversation if there is none. Requires settings. */
  first?: Opening;
}

export interface IdempotencyClaim {
  key: string;
  /** Hash of the request: the same key with another one is a client's mistake. */
  fingerprint: string;
}

/** A change of the conversation itself. Absent fields stay as they are. */
export interface UpdateCommand {
  customerId: string;
  actor: Actor;
  /** The mode epoch in which a fenced flow began; refused with MODE_CHANGED when that is over. Absent: always allowed. */
  fence?: number;
  name?: string;
  detail?: string;
  tags?: string[];
  archived?: boolean;
  /** null takes the owner away. */
  ownerId?: string | null;
  aiMode?: AiMode;
}

/** What a provider, or our own attempt, says about one delivery. */
export interface DeliveryNews {
  status: DeliveryStatus;
  providerId?: string;
  error?: ProviderError | null;
  uncertain?: boolean;
  attempts?: number;
  /** When the attempt began with which the provider accepted it. */
  sentAt?: Micros;
  /** The provider refuses because the contact opted out there. */
  optedOut?: boolean;
  /** The provider refuses because the time for free text is over. */
  windowClosed?: boolean;
}

/** One participant with all of its channel options. */
export interface Recipient {
  participantId: string;
  deliveryId: string;
  options: ChannelOption[];
}
