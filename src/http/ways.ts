import type { ResolvedAccount } from './accept-message.ts';
import type { AppContext } from './context.ts';
import { tooLarge } from './file-sizes.ts';
import { openingOf, pairName } from './open-conversation.ts';
import type { Attached } from './medias/attach.ts';
import { overLimit } from '../channels/limits.ts';
import { channelOf } from '../channels/registry.ts';
import { address } from '../domain/addresses.ts';
import type { Recipient, ChannelOption } from '../domain/conversation/delivery/channel-choice.ts';
import { bindingsOf, newBinding, type ChannelBinding } from '../domain/conversation/identity/bindings.ts';
import { peopleOf } from '../domain/conversation/identity/membership.ts';
import { addressText, type ContactAddress, type Person } from '../domain/conversation/identity/participants.ts';
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
export function accountFor(accounts: Account[], { type }: ContactAddress): ResolvedAccount | null {
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
    peopleOf(state).map(async (participant) => ({
      participantId: participant.id,
      deliveryId: crypto.randomUUID(),
      options: await optionsFor(c, state, participant, content),
    })),
  );
}

async function optionsFor(
  c: AppContext,
  state: ConversationState,
  { addresses }: Person,
  content: Content,
): Promise<ChannelOption[]> {
  const used = bindingsOf(state).filter(({ peer }) => addresses.some((one) => addressText(one) === addressText(peer)));
  const unused = addresses.filter(
    ({ type, target }) => !used.some((binding) => binding.type === TYPE_OF[type] && binding.peer.target === target),
  );
  // Most conversations use what they have, and ask D1 nothing. While it is away, that still goes.
  const accounts = unused.length === 0 ? [] : await knownAccounts(c.env, state.customerId).catch(() => []);
  const found = await Promise.all([
    ...used.map((binding) => usedOption(c, binding, content)),
    ...unused.map((one) => unusedOption(c, one, accounts, content)),
  ]);
  return found.filter((option) => option !== null);
}

/** Null where its account is gone. */
async function usedOption(c: AppContext, binding: ChannelBinding, content: Content): Promise<ChannelOption | null> {
  const account = await findAnyAccount(c.env, binding.accountId);
  const channel = account && channelOf(account.type, account.providerData);
  return channel ? optionOf(c, binding, { account, channel }, content) : null;
}

/** Null where no account of the customer's reaches it. */
async function unusedOption(
  c: AppContext,
  { type, target }: ContactAddress,
  accounts: Account[],
  content: Content,
): Promise<ChannelOption | null> {
  const resolved = accountFor(accounts, { type, target });
  return resolved && optionOf(c, newBinding(await firstOpening(c.env, resolved, { type, target })), resolved, content);
}

/** What is known of a pair of addresses by which nobody has written here. The conversation's own facts are left out. */
export async function firstOpening(env: Env, resolved: ResolvedAccount, { type, target }: ContactAddress) {
  const { account, channel } = resolved;
  const self = channel.self(account);
  const name = await pairName(resolved, target);
  const known = await callObject(() => env.ADDRESS.getByName(name).lookup());
  const opening = await openingOf(resolved, { peer: address(type, target), dialogId: target }, self.address);
  const window = channel.window && { humanExtraMs: channel.window.humanExtraMs, left: known?.window ?? null };
  return { ...opening, conversationId: '', addressName: name, optOut: known?.optOut ?? false, window };
}

async function optionOf(
  c: AppContext,
  binding: ChannelBinding,
  { account, channel }: ResolvedAccount,
  { text, attached }: Content,
): Promise<ChannelOption> {
  const medias = attached.map(({ media }) => media);
  const obstacle = overLimit(channel, text, medias) ?? (await tooLarge(c.env, channel, attached));
  return { binding, obstacle, segments: channel.segments(text), fallsBack: account.fallback };
}
