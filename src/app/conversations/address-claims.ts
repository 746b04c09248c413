import { addressText } from '../../domain/conversation/identity/participants.ts';
import type { ContactAddress } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { Claim } from '../../objects/customer-directory.ts';
import { callObject, getConversation, getDirectory } from '../../objects/stubs.ts';

/**
 * Claims the addresses for the open conversation that holds some of them, or else for `candidate`. Null where that is null and no open
 * conversation holds any. Refused with ADDRESS_TAKEN when two hold some.
 */
export async function claim(
  env: Env,
  customerId: string,
  addresses: ContactAddress[],
  candidate: string | null,
): Promise<Result<string | null, Refusal>> {
  const texts = addresses.map(addressText);
  const over = await overAmong(env, customerId, texts);
  return claimed(await callObject(() => getDirectory(env, customerId).claim(texts, candidate, over)));
}

/** The same for a conversation that exists. Refused with ADDRESS_TAKEN when another open one holds some of them. */
export async function claimFor(
  env: Env,
  customerId: string,
  id: string,
  addresses: ContactAddress[],
): Promise<Result<string | null, Refusal>> {
  const texts = addresses.map(addressText);
  const over = await overAmong(env, customerId, texts);
  return claimed(await callObject(() => getDirectory(env, customerId).claimFor(id, texts, over)));
}

const claimed = (found: Claim): Result<string | null, Refusal> =>
  'conversationId' in found
    ? ok(found.conversationId)
    : err({ code: 'ADDRESS_TAKEN', conversationIds: found.conflict });

/** The conversations that hold any of these (addressText) and are over: the directory does not know, the conversations do. */
export async function overAmong(env: Env, customerId: string, addresses: string[]): Promise<string[]> {
  const holders = await callObject(() => getDirectory(env, customerId).holders(addresses));
  const asked = await Promise.all(
    holders.map(async (id) => ((await callObject(() => getConversation(env, id).isOver())) ? [id] : [])),
  );
  return asked.flat();
}

/** The open conversations that hold any of these. */
export async function openHolders(env: Env, customerId: string, addresses: ContactAddress[]): Promise<string[]> {
  const texts = addresses.map(addressText);
  const over = await overAmong(env, customerId, texts);
  const holders = await callObject(() => getDirectory(env, customerId).holders(texts));
  return [...new Set(holders)].filter((id) => !over.includes(id));
}
