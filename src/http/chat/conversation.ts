import { chatAddress, otherWays, personOf, provedAddresses } from './person.ts';
import type { Carrier } from '../accept-message.ts';
import { pairName } from '../open-conversation.ts';
import { moveAddresses } from '../join-conversations.ts';
import { overAmong } from '../voipbin/claims.ts';
import { firstOpening } from '../ways.ts';
import { newLink } from '../../domain/conversation/links.ts';
import { addressText, isTrusted } from '../../domain/conversation/participants.ts';
import { callObject, getConversation, getDirectory } from '../../objects/stubs.ts';
import type { Visitor } from '../../security/visitor-token.ts';

/**
 * The conversation of a visitor: the one that it has, or that of whom it has proved to be; or else the id of the one that its first
 * message begins.
 */
export async function conversationOf(env: Env, carrier: Carrier, visitor: Visitor): Promise<string> {
  const name = await pairName(carrier, visitor.id);
  const address = () => env.ADDRESS.getByName(name);
  const known = await callObject(() => address().lookup());
  if (known) return known.conversationId;
  const { customerId } = carrier.account;
  const whose = addressText(chatAddress(visitor));
  const chosen = await callObject(() => getDirectory(env, customerId).open(whose, name, crypto.randomUUID(), []));
  return (await callObject(() => address().resolve(chosen))).conversationId;
}

export interface Introduced {
  /** The conversation. */
  id: string;
  /** Whether the visitor has proved, now or before, who it is. */
  isTrusted: boolean;
}

/**
 * What a visitor has typed or proved, told where it is: its conversation, and where it has proved to be somebody who has one, that one
 * takes both over (spec section 11).
 */
export async function introduce(env: Env, carrier: Carrier, visitor: Visitor): Promise<Introduced> {
  if (provedAddresses(visitor).length > 0) await joinProved(env, carrier, visitor);
  const id = await conversationOf(env, carrier, visitor);
  const person = await personOf(carrier, visitor);
  const own = newLink(await firstOpening(env, carrier, chatAddress(visitor)));
  const links = [own, ...(await otherWays(env, carrier, person))];
  const met = await callObject(() =>
    getConversation(env, id).rearrange(carrier.account.customerId, { kind: 'meet', person, links, from: [] }),
  );
  return { id, isTrusted: met.ok && isTrusted(met.value, chatAddress(visitor)) };
}

/** All of the open conversations of what it has proved to be become one: theirs who is known, not the visitor's. */
async function joinProved(env: Env, carrier: Carrier, visitor: Visitor): Promise<void> {
  const { customerId } = carrier.account;
  const directory = () => getDirectory(env, customerId);
  const identity = provedAddresses(visitor);
  const proved = identity.map(addressText);
  const chat = chatAddress(visitor);
  const own = addressText(chat);
  const over = await overAmong(env, customerId, [...proved, own]);
  const open = async (addresses: string[]) =>
    (await callObject(() => directory().holders(addresses))).filter((id) => !over.includes(id));
  const [target] = await open(proved);
  const others = (await open([own])).filter((id) => id !== target);
  if (target === undefined) {
    const [mine] = others;
    if (mine !== undefined) await callObject(() => directory().claimFor(mine, proved, over));
    return;
  }
  for (const from of others) await moveAddresses(env, customerId, { from, into: target }, [chat], [...identity, chat]);
  await callObject(() => directory().claimFor(target, [own], [...over, ...others]));
}
