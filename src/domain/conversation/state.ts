import type { Address } from '../addresses.ts';
import type { Media, TemplateUse } from '../content.ts';
import type { DeliveryStatus } from './delivery/delivery-status.ts';
import type { Actor } from '../permissions.ts';
import type { Micros } from '../time.ts';
import type { ChannelBinding } from './identity/bindings.ts';
import type { Participant } from './identity/participants.ts';

export type Lifecycle = 'active' | 'idle' | 'closed';
export type AiMode = 'ai' | 'human' | 'closed';

/**
 * A conversation as its object holds it. Plain data: it crosses RPC, lives in one row and is one JSON column in D1.
 * What it has of a Link is the one that its contact used last.
 */
export interface ConversationState extends ChannelBinding {
  id: string;
  customerId: string;
  /** The other ways to its contacts, the one used last first. */
  parked: ChannelBinding[];
  participants: Participant[];
  /** Addresses (addressText) that were taken out. */
  released: string[];
  name: string;
  detail: string;
  ownerId: string | null;
  lifecycle: Lifecycle;
  aiMode: AiMode;
  /** Grows with every change of mode; an assistant's turn is fenced by it. */
  modeEpoch: number;
  /** People answer because a machine left it to them: the next person's word is the takeover from that machine. */
  handedOver: boolean;
  tags: string[];
  /** Put away by people as done with (seed 002's best practices); whoever writes again brings it back. */
  archived: boolean;
  /** The conversation that goes on with its contact, since the two were found to be one; null while this one goes on itself. */
  mergedInto: string | null;
  /** Those that go on in this one: their messages are part of its history. */
  mergedFrom: string[];
  /** The log's head: dense, from 1. */
  sequence: number;
  lastMessageAt: Micros | null;
  createdAt: Micros;
  updatedAt: Micros;
  deletedAt: Micros | null;
}

export type Direction = 'incoming' | 'outgoing';

export interface ProviderError {
  /** The provider's own code, or ours in capitals (`TIMEOUT`, `CANCELED`). */
  code: string;
  text: string;
}

/** How many SMS segments a text takes, and in which alphabet (3GPP 23.038). */
export interface Segments {
  encoding: 'GSM-7' | 'UCS-2';
  count: number;
}

/** One message on its way to one recipient. */
export interface Delivery {
  id: string;
  accountId: string;
  /** The ChannelBinding that it goes by. */
  addressName: string;
  /** The conversation type that carries it. */
  channel: string;
  /** Where it goes: the provider's id of the recipient. */
  target: string;
  status: DeliveryStatus;
  attempts: number;
  providerId: string;
  error: ProviderError | null;
  /** True once an attempt ended without an answer: the provider may have taken it, so a repeat may double it. */
  uncertain: boolean;
  segments: Segments | null;
  /** The delivery in whose place it goes: that one failed for good, or its visitor was away. */
  fallbackFor?: string;
  /** When the attempt began by which the provider took it: what its watermarks are compared with. Null before. */
  sentAt: Micros | null;
  updatedAt: Micros;
}

/** What a mail says of itself beside its text. */
export interface MailFacts {
  subject: string;
  /** Its Message-ID without brackets; empty on what we send, which gets one from the platform (a delivery's `providerId`). */
  messageId: string;
  /** Its References, oldest first. */
  references: string[];
}

/** Why an option was not chosen. */
export type Reason =
  /** Another option was better. */
  | 'NOT_NEEDED'
  | 'CONTENT'
  | 'OPTED_OUT'
  | 'WINDOW_CLOSED'
  /** The sender wants another channel. */
  | 'OTHER_CHANNEL';

/** Why a message goes to a participant as it does. Stored with the message, and shown. */
export interface Choice {
  participantId: string;
  chosen: { channel: string; accountId: string; target: string } | null;
  rejected: { channel: string; accountId: string; target: string; reason: Reason; problem: string }[];
}

export interface Message {
  id: string;
  conversationId: string;
  customerId: string;
  /** The account that carried it: only that one's credentials open an incoming message's files. */
  accountId: string;
  /** The sequence of the event that created it: its place in the conversation. */
  sequence: number;
  direction: Direction;
  /** The conversation type of the channel that carries it: seed 000's `reference_type`. */
  channel: string;
  /** The dialog at the provider: seed 000 shows the LINE user id. */
  referenceId: string;
  text: string;
  medias: Media[];
  source: Address;
  destination: Address;
  sender: Actor & { name: string };
  /** The caller's own name for the message, echoed back; empty when it gave none. */
  clientId: string;
  /** Of a mail, and of what was given a subject; absent elsewhere. */
  mail?: MailFacts;
  /** The mode epoch without which it must not go out: set on what assistants and fenced flows say. */
  fence: number | null;
  /** The provider's template that it is, or null for what the sender wrote; `text` is how it reads. */
  template: TemplateUse | null;
  deliveries: Delivery[];
  /** Why it goes as it does, for each participant; empty where there was nothing to choose. */
  routing: Choice[];
  createdAt: Micros;
  updatedAt: Micros;
  deletedAt: Micros | null;
}

/** What a conversation needs to know of the world around it; every command brings the present values along. */
export interface Settings {
  /** The customer's silence before `idle`, and before `closed`. */
  idleMs: number;
  closeMs: number;
  /** Where providers and receivers reach us: PUBLIC_URL, or the origin of the last request; empty where neither is known (a mail comes by none). No slash at its end. */
  publicUrl: string;
}
