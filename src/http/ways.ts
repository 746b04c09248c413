import type { Carrier } from './accept-message.ts';
import type { AppContext } from './context.ts';
import { tooLarge } from './file-sizes.ts';
import { openingOf, pairName } from './open-conversation.ts';
import type { Attached } from './medias/attach.ts';
import { overLimit } from '../channels/limits.ts';
import { channelOf } from '../channels/registry.ts';
import { address } from '../domain/addresses.ts';
import type { Recipient, Way } from '../domain/conversation/delivery/channel-choice.ts';
import { linksOf, newLink, type Link } from '../domain/conversation/identity/bindings.ts';
import { addressText, type ContactAddress, type Participant } from '../domain/conversation/identity/participants.ts';
import type { ConversationState } from '../domain/conversation/state.ts';
import { callObject } from '../objects/stubs.ts';
import { findAnyAccount, knownAccounts, type Account } from '../storage/accounts.ts';

/** The conversation type that reaches each kind of address. */
const TYPE_OF: Record<ContactAddress['type'], string> = {
  tel: 'message',
  email: 'email',
  line: 'line',
  whatsapp: 'whatsapp',
  messenger: 'messenger',
  chat: 'chat',
};

/** The account that reaches an address: of several the oldest. */
export function carrierFor(accounts: Account[], { type }: ContactAddress): Carrier | null {
  for (const account of accounts) {
    const channel = channelOf(account.type, account.providerData);
    if (channel?.conversationType === TYPE_OF[type]) return { account, channel };
  }
  return null;
}

interface Content {
  text: string;
  attached: Attached[];
}

/** Everybody in a conversation, with every way to each: those that were used, and one for each address that never was. */
export async function recipientsOf(c: AppContext, state: ConversationState, content: Content): Promise<Recipient[]> {
  return Promise.all(
    state.participants.map(async (participant) => ({
      participantId: participant.id,
      deliveryId: crypto.randomUUID(),
      ways: await waysTo(c, state, participant, content),
    })),
  );
}

async function waysTo(
  c: AppContext,
  state: ConversationState,
  { addresses: own, unverified = [] }: Participant,
  content: Content,
): Promise<Way[]> {
  const addresses = [...own, ...unverified];
  const used = linksOf(state).filter(({ peer }) => addresses.some((one) => addressText(one) === addressText(peer)));
  const unused = addresses.filter(
    ({ type, target }) => !used.some((link) => link.type === TYPE_OF[type] && link.peer.target === target),
  );
  // Most conversations use what they have, and ask D1 nothing. While it is away, that still goes.
  const accounts = unused.length === 0 ? [] : await knownAccounts(c.env, state.customerId).catch(() => []);
  const found = await Promise.all([
    ...used.map((link) => usedWay(c, link, content)),
    ...unused.map((one) => unusedWay(c, one, accounts, content)),
  ]);
  return found.filter((way) => way !== null);
}

/** Null where its account is gone. */
async function usedWay(c: AppContext, link: Link, content: Content): Promise<Way | null> {
  const account = await findAnyAccount(c.env, link.accountId);
  const channel = account && channelOf(account.type, account.providerData);
  return channel ? wayOf(c, link, { account, channel }, content) : null;
}

/** Null where no account of the customer's reaches it. */
async function unusedWay(
  c: AppContext,
  { type, target }: ContactAddress,
  accounts: Account[],
  content: Content,
): Promise<Way | null> {
  const carrier = carrierFor(accounts, { type, target });
  return carrier && wayOf(c, newLink(await firstOpening(c.env, carrier, { type, target })), carrier, content);
}

/** What is known of a pair of addresses by which nobody has written here. The conversation's own facts are left out. */
export async function firstOpening(env: Env, carrier: Carrier, { type, target }: ContactAddress) {
  const { account, channel } = carrier;
  const self = channel.self(account);
  const name = await pairName(carrier, target);
  const known = await callObject(() => env.ADDRESS.getByName(name).lookup());
  const opening = await openingOf(carrier, { peer: address(type, target), dialogId: target }, self.address);
  const window = channel.window && { humanExtraMs: channel.window.humanExtraMs, left: known?.window ?? null };
  return { ...opening, conversationId: '', addressName: name, optOut: known?.optOut ?? false, window };
}

async function wayOf(
  c: AppContext,
  link: Link,
  { account, channel }: Carrier,
  { text, attached }: Content,
): Promise<Way> {
  const medias = attached.map(({ media }) => media);
  const obstacle = overLimit(channel, text, medias) ?? (await tooLarge(c.env, channel, attached));
  return { link, obstacle, segments: channel.segments(text), fallsBack: account.fallback };
}
