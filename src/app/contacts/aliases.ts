import type { ResolvedAccount } from '../accounts.ts';
import { pairName } from '../conversations/open.ts';
import type { HookInbound } from '../../channels/contract.ts';
import { callObject } from '../../objects/stubs.ts';

/**
 * The contact that a provider names by several ids (WhatsApp: the telephone number, and a user id that may come alone): what is said
 * under either lands in one conversation, and a STOP counts for both.
 */
export async function resolveAlias(env: Env, resolved: ResolvedAccount, inbound: HookInbound): Promise<HookInbound> {
  const { alias, peer } = inbound;
  if (alias === undefined) return inbound;
  const { object: own } = await addressOf(env, resolved, peer.target);
  if (alias === '') return withCanonical(inbound, await callObject(() => own().canonical()));
  if (await callObject(() => own().knowsAlias(alias))) return inbound;
  const { object: other, name } = await addressOf(env, resolved, alias);
  const left = await callObject(() => other().aliasTo(peer.target));
  await callObject(() => own().absorbAlias(alias, name, left));
  return inbound;
}

function withCanonical(inbound: HookInbound, canonical: string | null): HookInbound {
  if (canonical === null) return inbound;
  const { peer, item } = inbound;
  const isOwn = item.kind === 'message' && item.senderId === peer.target;
  const renamed = isOwn ? { ...item, senderId: canonical } : item;
  return { ...inbound, peer: { ...peer, target: canonical }, dialogId: canonical, item: renamed };
}

/** The id under which a contact is known that is named by another one; null when it has no other. */
export async function canonicalOf(env: Env, resolved: ResolvedAccount, theirs: string): Promise<string | null> {
  const { object } = await addressOf(env, resolved, theirs);
  return callObject(() => object().canonical());
}

async function addressOf(env: Env, resolved: ResolvedAccount, theirs: string) {
  const name = await pairName(resolved, theirs);
  return { name, object: () => env.ADDRESS.getByName(name) };
}
