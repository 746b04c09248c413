import type { ServiceWindow } from './delivery/service-window.ts';
import type { Address, AddressType } from '../addresses.ts';
import type { Media, TemplateUse } from '../content.ts';

import type { Actor } from '../permissions.ts';
import type { Micros } from '../time.ts';

export type Lifecycle = 'active' | 'idle' | 'closed';
export type AiMode = 'ai' | 'human' | 'closed';

/**
 * A conversation as its object holds it. Plain data: it crosses RPC, lives in one row and is one JSON column in D1.
 *
 * The fields of the active binding, which its contact used last, are the conversation's own, as seed 000 shows them (`type`, `self`, `peer`,
 * `account_id`, `dialog_id`). They are not wrapped in an object of their own: everything that sends, presents or filters reads them, and
 * would only gain a longer path. Nothing but identity/bindings.ts changes which binding is the active one.
 */
export interface ConversationState extends Bound {
  id: string;
  customerId: string;
  /** In the order in which they joined. With their addresses: `peopleOf` (identity/participants.ts). */
  participants: Participant[];
  /** Every address that it knows: its participants', and those that were taken out. */
  addresses: KnownAddress[];
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

/** An account of the customer's that reaches one of a participant's addresses, and what stands in the way of this message there. */
export interface ChannelOption {
  /** As it begins if it was never used. Where the conversation knows it, the conversation's own state counts. */
  binding: ChannelBinding;
  /** What the channel does not accept of this content, under the field's name; null when it accepts it. */
  obstacle: { field: string; problem: string } | null;
  segments: Segments | null;
  /** Whether the account wants the next option tried when a delivery fails for good. */
  fallsBack: boolean;
}

/** By delivery: the options that may be tried instead, the best first. */
export type FallbackOptions = Record<string, ChannelOption[]>;

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

/** Where somebody is reached, whichever account of ours does it. */
export interface ContactAddress {
  type: AddressType;
  target: string;
}

/**
 * Everything that a conversation knows about an address, in one list (`ConversationState.addresses`): what it is worth (`standing`), whose
 * it is (`participantId`), and which visitors of the web chat have proved it (`provedBy`).
 *
 * Why a flat list, and not a list in each participant:
 * - What every inbound message asks ("whose address is this?", "was it taken out?", "was it erased?") is answered from one place. Lists
 *   that stand apart can contradict each other: an address that is held and released, or vouched for and assumed.
 * - Released and erased addresses belong to no participant, and still need a place.
 * - A claim is an entry of its own, because anybody may type anybody's address: the same address may be claimed by one participant and
 *   held by another. It is held by at most one (`holderOf`), and a released address is held by none; `withPeople` is the only writer.
 *
 * The bindings that reach an address are not repeated here. A binding names its address itself (`peer`), one address may have several (one
 * for each account of ours), and each has a state of its own (window, consent).
 */
export type KnownAddress =
  | (PersonAddress & { participantId: string })
  /** It was taken out: what comes from there belongs to another conversation. */
  | (ContactAddress & { standing: 'released' })
  /**
   * An erasure took it out. The address itself must not be kept, so only the hashed name of the AddressObject that guarded it is
   * (objects/stubs.ts): what comes through there begins another conversation, unless somebody has added the address again.
   */
  | { standing: 'erased'; addressName: string };

/** An address as one of a participant's. */
export interface PersonAddress extends ContactAddress {
  /**
   * - `verified`: an administrator or the API named it, it is how a known contact writes, or it was proved. What it wrote may be shown to a
   *   visitor who has proved to be this person.
   * - `assumed`: somebody wrote from it into this conversation, and nobody has said that it is this person's.
   * - `claimed`: a visitor of the web chat typed it. It may receive answers, and proves nothing (spec section 11).
   */
  standing: 'verified' | 'assumed' | 'claimed';
  /** The visitors (addressText of their chat address) who have proved that it is theirs. Only ever of a verified address. */
  provedBy: string[];
}

/** Somebody in a conversation. The addresses stand beside it, in the conversation's list. */
export interface Participant {
  id: string;
  /** Derived from its first address: the same person has the same one in every conversation. */
  contactId: string;
  name: string;
  /** The conversation type (`message`, `line`, …) by which it likes to be written to, or empty. */
  preferredChannel: string;
  addedAt: Micros;
}

/** A participant with its addresses: those that it holds (verified or assumed) come before those that it only claims. */
export interface Person extends Participant {
  addresses: PersonAddress[];
}

export type NewParticipant = Omit<Person, 'addedAt'>;

/**
 * How one account of ours and one address of a contact are bound: the pair of addresses, and what holds between them. Of the bindings of a
 * conversation one is active, the one that its contact used last: messages without a better choice go by it. Its fields are the
 * conversation's own (state.ts); the others are its `inactiveBindings`.
 */
export interface ChannelBinding {
  /** The name of the AddressObject of this pair of addresses (objects/stubs.ts), and so of the binding. Empty where there was none to name it. */
  addressName: string;
  accountId: string;
  /** `message` (SMS and MMS), `line`, …: the channel that seed 000 calls `type`. */
  type: string;
  dialogId: string;
  self: Address;
  peer: Address;
  /** The contact asked us to stop (spec section 9): nothing may be sent. Kept across conversations by the AddressObject. */
  optOut: boolean;
  /** Null on channels where free text may be sent at any time. */
  window: ServiceWindow | null;
  /** False if the contact blocked or left the account (LINE `unfollow`, `leave`). */
  reachable: boolean;
  /** When the contact last wrote by it; 0: never. */
  heardAt: Micros;
}

/** The part of a conversation that holds its bindings. */
export interface Bound extends ChannelBinding {
  /** The one used last first. */
  inactiveBindings: ChannelBinding[];
}

/**
 * A delivery's status is the highest rank ever reported, so receipts may come in any order and more than once.
 * `delivered` outranks `failed`: some networks report a failure on one device and a delivery on the next
 * (facts/providers.md 1.4), and what arrived did not fail.
 */
export const DELIVERY_STATUSES = ['queued', 'sending', 'sent', 'failed', 'delivered', 'read'] as const;

export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];
