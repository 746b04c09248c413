import type { Channel } from '../channels/contract.ts';
import { channelOf } from '../channels/registry.ts';
import type { ContactAddress } from '../domain/conversation/state.ts';
import { isUuid } from '../domain/ids.ts';
import { findAnyAccount, type Account } from '../storage/accounts.ts';

/** An account of a customer's, and the channel that it speaks. */
export interface ResolvedAccount {
  account: Account;
  channel: Channel;
}

export function resolvedOf(account: Account | null): ResolvedAccount | null {
  const channel = account && channelOf(account.type, account.providerData);
  return channel ? { account, channel } : null;
}

/** Any customer's account, by an id as a stranger may write it; at most a few seconds old, also while D1 is away. */
export const findResolved = async (env: Env, id: string): Promise<ResolvedAccount | null> =>
  isUuid(id) ? resolvedOf(await findAnyAccount(env, id.toLowerCase())) : null;

/** The conversation type that reaches each kind of address. */
export const TYPE_OF: Record<ContactAddress['type'], string> = {
  tel: 'message',
  email: 'email',
  line: 'line',
  whatsapp: 'whatsapp',
  messenger: 'messenger',
  chat: 'chat',
};

/** The account that reaches an address; of several, the first. */
export function accountFor(accounts: Account[], { type }: ContactAddress): ResolvedAccount | null {
  const resolved = accounts.map(resolvedOf);
  return resolved.find((each) => each?.channel.conversationType === TYPE_OF[type]) ?? null;
}
