import type { Address } from '../addresses.ts';
import type { Media } from '../content.ts';
import type { DeliveryStatus } from '../delivery-status.ts';
import type { Actor } from '../permissions.ts';
import type { Millis } from '../time.ts';
import type { AiMode, ProviderError, Segments, Settings } from './state.ts';

/** What a conversation needs to come into being. Sent along with every inbound item, used by the first one only. */
export interface Opening {
  conversationId: string;
  customerId: string;
  accountId: string;
  type: string;
  dialogId: string;
  name: string;
  detail: string;
  self: Address;
  peer: Address;
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
      replyToken: ReplyToken | null;
    })
  /** The contact took a message back: its content must be hidden (LINE `unsend`). */
  | (InboundBase & { kind: 'redaction'; targetKey: string })
  /** The contact can be reached from now on, or no longer (LINE `follow`, `unfollow`, `join`, `leave`). */
  | (InboundBase & { kind: 'reachability'; reachable: boolean; replyToken: ReplyToken | null });

/** A provider's permission to answer once, for a short time, at no cost (LINE). */
export interface ReplyToken {
  token: string;
  expiresAt: Millis;
}

export interface ReceiveCommand {
  opening: Opening;
  item: InboundItem;
  settings: Settings;
}

export interface SendCommand {
  customerId: string;
  actor: Actor;
  actorName: string;
  /** The agent that sends because it owns the conversation; null for those who may send in any. */
  asOwner: string | null;
  messageId: string;
  deliveryId: string;
  text: string;
  medias: Media[];
  clientId: string;
  segments: Segments | null;
  /** The sender's view of the log (`If-Match`); null sends whatever has happened. */
  expectedSequence: number | null;
  idempotency: IdempotencyClaim | null;
  settings: Settings;
}

export interface IdempotencyClaim {
  key: string;
  /** Hash of the request: the same key with another one is a client's mistake. */
  fingerprint: string;
}

/** A change of the conversation itself. Absent fields stay as they are. */
export interface UpdateCommand {
  customerId: string;
  name?: string;
  detail?: string;
  tags?: string[];
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
}
