import type { z } from 'zod';
import type { Address } from '../domain/addresses.ts';
import type { Media, Template, TemplateUse } from '../domain/content.ts';
import type { DeliveryNews, InboundItem } from '../domain/conversation/commands.ts';
import type { SendOutcome, SendPolicy } from '../domain/conversation/delivery/sends.ts';
import type { MailThread } from '../domain/conversation/mail-thread.ts';
import type { Segments } from '../domain/conversation/state.ts';
import type { Result } from '../domain/result.ts';
import type { Millis } from '../domain/time.ts';

/** What a customer configures for one account (spec section 4.1's table). Empty strings where a provider needs none. */
export interface AccountCredentials {
  secret: string;
  token: string;
  providerData: ProviderData;
}

export type ProviderData = Record<string, string | string[]>;

/** An account as its adapter sees it, with its secrets in clear. It never leaves the Worker's memory. */
export interface ChannelAccount extends AccountCredentials {
  id: string;
  customerId: string;
}

/** A provider's webhook request, whole and unparsed: signatures are over the raw bytes. */
export interface HookRequest {
  method: string;
  /** The URL exactly as the provider called it, with our public origin. */
  url: string;
  headers: Headers;
  body: Uint8Array;
}

type WithoutId<T> = T extends { messageId: string } ? Omit<T, 'messageId' | 'deliveryId' | 'windowUntil'> : T;

/** What one contact did. The core gives a message its id. */
export interface HookInbound {
  peer: Address;
  /** The provider's id of the dialog: the contact, or the group or room. */
  dialogId: string;
  /** Another id of the same contact, by which later requests may name it; empty where there is none (WhatsApp's user ids). */
  alias?: string;
  /** When it happened by the provider's clock; items of one request are taken in this order. */
  occurredAt: Millis;
  item: WithoutId<InboundItem>;
}

/** What became of a delivery of ours. The ids come back from the callback URL that `send` gave the provider. */
export interface HookReceipt {
  conversationId: string;
  deliveryId: string;
  news: DeliveryNews;
}

export interface HookContent {
  inbound: HookInbound[];
  receipts: HookReceipt[];
}

/** A message on its way to one recipient. */
export interface Outbound {
  /** Stable over all attempts: the provider's idempotency key, where it takes one. A UUID. */
  deliveryId: string;
  conversationId: string;
  messageId: string;
  to: string;
  from: Address;
  text: string;
  medias: Media[];
  template: TemplateUse | null;
  /** A person answers after the time for free text (Messenger's HUMAN_AGENT). */
  asHuman: boolean;
  /** A fresh permission to answer at no cost, given to one attempt only (LINE). */
  replyToken: string | null;
  /** Of a mail; null on other channels. */
  mail: OutboundMail | null;
  /** Where the provider reports the delivery's fate: `<origin>/hooks/<account>/status?conversation=<id>&delivery=<id>`. */
  statusCallbackUrl: string;
}

export interface OutboundMail extends MailThread {
  /** The sender's name: the account's. */
  fromName: string;
  /** Leads an answer back to this conversation, from its address (security/mail-tokens.ts). */
  token: string;
  /** The same, among the references. */
  threadToken: string;
  /** Leads a returned mail back to this delivery. */
  mark: string;
  /** Software answers, so that other software must not answer it. */
  isAutomatic: boolean;
}

/** Everything outside that an adapter may touch. */
export interface ChannelIo {
  fetch: (url: string, init?: RequestInit) => Promise<Response>;
  bases: { line: string; lineData: string; twilio: string; telnyx: string; meta: string; sandbox: string };
  /** Whether a URL that somebody else wrote may be read: not one that leads into a private network. */
  mayRead: (url: string) => boolean;
  /** Hands a whole mail (RFC 5322) to the platform. @returns its Message-ID. @throws what the platform refuses it with. */
  sendMail: (mail: { from: string; to: string; raw: string | Uint8Array }) => Promise<string>;
  /** The file behind a media of ours, wherever it is; at most so many bytes. Null when it is larger, or not there. @throws while a store does not answer. */
  readFile: (media: Media, customerId: string, maxBytes: number) => Promise<Uint8Array | null>;
  /** For one provider request; shorter than the claim's lease (domain/conversation/delivery/sends.ts). */
  timeoutMs: number;
}

/** What one message may hold on this channel; checked before a message is accepted. */
export interface ContentLimits {
  maxTextLength: number;
  maxMedias: number;
  /** SMS segments, where the provider counts those; null where it does not. */
  maxSegments: number | null;
}

/** What a provider's refusal, at once or in a later receipt, says beside that the message failed. */
export function providerSignal({ verdicts }: Channel, code = ''): Pick<DeliveryNews, 'optedOut' | 'windowClosed'> {
  // A code may come with a subcode after a dot, at once, and without it in a later receipt.
  const isAmong = (codes: readonly string[]) => codes.some((known) => code === known || code.startsWith(`${known}.`));
  return { optedOut: isAmong(verdicts.optOut), windowClosed: isAmong(verdicts.windowClosed) };
}

/**
 * One provider of one channel. Adapters translate and nothing else: no storage, no clock, no retries.
 * A new channel is one folder here and one line in registry.ts; test/unit/channels/contract.test.ts runs over all of them.
 */
export interface Channel {
  /** `line`, `sms/twilio`, …: the account's type and, where it has several, its provider. */
  id: string;
  accountType: string;
  /** The conversation type that it feeds (seed 000's `type`): providers of one channel share it. */
  conversationType: string;
  /** For the names of conversations: "LINE", "SMS". */
  label: string;
  /** Checks what the customer configures. Its issues' paths are the request's field names. */
  credentials: z.ZodType<AccountCredentials>;
  limits: ContentLimits;
  policy: SendPolicy;
  /** The provider's error codes that say more than that a message failed. */
  verdicts: {
    /** This contact opted out of this number. */
    optOut: readonly string[];
    /** The time for free text is over. */
    windowClosed: readonly string[];
  };
  /** How long a contact's message allows free text, and how much longer a person's; null where it may be sent at any time. */
  window: { ms: Millis; humanExtraMs: Millis } | null;
  /** Our own address, and the text that tells this account's conversations from another's. */
  self(account: AccountCredentials & { id: string }): { address: Address; key: string };
  /** SMS only: how the text will be billed. */
  segments(text: string): Segments | null;
  /** The signature over the raw bytes, in constant time. False when anything is missing: it fails closed. */
  verify(request: HookRequest, account: ChannelAccount, now: Millis): Promise<boolean>;
  /** A verified request in the core's words. The error names what is malformed, and never quotes it. */
  parse(request: HookRequest, account: ChannelAccount, now: Millis): Result<HookContent, string>;
  /**
   * Where one webhook serves several of a customer's numbers or pages: the field of provider_data that tells them apart, and whom
   * this request is about.
   */
  addressees?(request: HookRequest): { field: string; ids: string[] };
  /** What the provider asks for before it sends anything (Meta's `hub.challenge`): the answer's body, or null for a refusal. */
  challenge?(request: HookRequest, account: ChannelAccount): Promise<string | null>;
  /** The templates that the provider has approved. The error is a code. */
  listTemplates?(account: ChannelAccount, io: ChannelIo): Promise<Result<Template[], string>>;
  /** What of a message this provider would refuse, under its field's name; null when nothing. Beyond `limits`. */
  refuses?(text: string, medias: Pick<Media, 'type'>[]): { field: string; problem: string } | null;
  /** How large a file of that type may be, where the provider says so and finds out after it has accepted the message. */
  maxFileBytes?(type: string): number | null;
  /** How large all files of a message may be together. Bytes. */
  maxFilesBytes?: number;
  /** The 2xx that the provider expects. */
  acknowledgement: { status: number; contentType: string | null; body: string | null };
  send(outbound: Outbound, account: ChannelAccount, io: ChannelIo): Promise<SendOutcome>;
  /** Files come as public links that are over after a while: they are fetched and kept, and clients get our own link. */
  linksExpire?: boolean;
  /** The file behind a media with a `providerRef`, fetched with the account's credentials. */
  fetchMedia(media: Media, account: ChannelAccount, io: ChannelIo): Promise<Response>;
}
