import type { Channel, HookInbound } from '../channels/contract.ts';
import { addressName, callObject } from '../objects/stubs.ts';
import type { Account } from '../storage/accounts.ts';

/**
 * Who a contact is where its provider has several ids for one (WhatsApp: the telephone number, and a user id that may come alone):
 * what is said under either lands in one conversation, and a STOP counts for both.
 */
export async function resolveAlias(
  env: Env,
  account: Account,
  channel: Channel,
  inbound: HookInbound,
): Promise<HookInbound> {
  const { alias, peer } = inbound;
  if (alias === undefined) return inbound;
  const objectOf = (theirs: string) => addressOf(env, account, channel, theirs);
  const { object: own } = await objectOf(peer.target);
  if (alias === '') return withCanonical(inbound, await callObject(() => own().canonical()));
  if (await callObject(() => own().knowsAlias(alias))) return inbound;
  const { object: other, name } = await objectOf(alias);
  const left = await callObject(() => other().aliasTo(peer.target));
  await callObject(() => own().absorbAlias(alias, name, left));
  return inbound;
}

function withCanonical(inbound: HookInbound, canonical: string | null): HookInbound {
  if (canonical === null) return inbound;
  const { peer, item } = inbound;
  const isOwn = item.kind === 'message' && item.senderId === peer.target;
  const said = isOwn ? { ...item, senderId: canonical } : item;
  return { ...inbound, peer: { ...peer, target: canonical }, dialogId: canonical, item: said };
}

/** The id under which a contact is known that is named by another one; null: it is known by none but this. */
export async function canonicalOf(
  env: Env,
  account: Account,
  channel: Channel,
  theirs: string,
): Promise<string | null> {
  const { object } = await addressOf(env, account, channel, theirs);
  return callObject(() => object().canonical());
}

async function addressOf(env: Env, account: Account, channel: Channel, theirs: string) {
  const pair = { channel: channel.conversationType, ours: channel.self(account).key, theirs };
  const name = await addressName({ customerId: account.customerId, ...pair });
  return { name, object: () => env.ADDRESS.getByName(name) };
}
