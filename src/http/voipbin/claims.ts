import { ApiError } from '../errors.ts';
import { addressText, type ContactAddress } from '../../domain/conversation/identity/participants.ts';
import type { Claim } from '../../objects/customer-directory.ts';
import { callObject, getConversation, getDirectory } from '../../objects/stubs.ts';

/**
 * The addresses for the open conversation that has some of them, or else for `candidate`; null where that is null and there is none.
 * @throws 409 that names both when two have some.
 */
export async function claim(
  env: Env,
  customerId: string,
  addresses: ContactAddress[],
  candidate: string | null,
): Promise<string | null> {
  const texts = addresses.map(addressText);
  const over = await overAmong(env, customerId, texts);
  const directory = getDirectory(env, customerId);
  return claimed(await callObject(() => directory.claim(texts, candidate, over)));
}

/** The same for a conversation that is there. @throws 409 that names the other one. */
export async function claimFor(env: Env, customerId: string, id: string, addresses: ContactAddress[]): Promise<void> {
  const texts = addresses.map(addressText);
  const over = await overAmong(env, customerId, texts);
  claimed(await callObject(() => getDirectory(env, customerId).claimFor(id, texts, over)));
}

function claimed(found: Claim): string | null {
  if ('conversationId' in found) return found.conversationId;
  throw new ApiError('ADDRESS_TAKEN', undefined, { conversation_ids: found.conflict });
}

/** The directory does not know what is over; the conversations do. */
export async function overAmong(env: Env, customerId: string, addresses: string[]): Promise<string[]> {
  const holders = await callObject(() => getDirectory(env, customerId).holders(addresses));
  const asked = await Promise.all(
    holders.map(async (id) => ((await callObject(() => getConversation(env, id).isOver())) ? [id] : [])),
  );
  return asked.flat();
}

/** The open conversations that have any of these. */
export async function openHolders(env: Env, customerId: string, addresses: ContactAddress[]): Promise<string[]> {
  const texts = addresses.map(addressText);
  const over = await overAmong(env, customerId, texts);
  const holders = await callObject(() => getDirectory(env, customerId).holders(texts));
  return [...new Set(holders)].filter((id) => !over.includes(id));
}
