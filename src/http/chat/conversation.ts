import { chatAddress, otherWays, personOf, type Known } from './person.ts';
import type { Carrier } from '../accept-message.ts';
import { exclusively } from '../exclusively.ts';
import { giveUp, moveAddresses } from '../join-conversations.ts';
import { pairName } from '../open-conversation.ts';
import { overAmong } from '../voipbin/claims.ts';
import { firstOpening } from '../ways.ts';
import { newLink } from '../../domain/conversation/identity/bindings.ts';
import { addressText } from '../../domain/conversation/identity/participants.ts';
import { callObject, getConversation, getDirectory } from '../../objects/stubs.ts';
import type { Visitor } from '../../security/visitor-token.ts';

/** The conversation of a visitor, or else the id of the one that its first message begins. */
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

/**
 * What a visitor has typed or proved, told where it is: its conversation, and where it has proved to be somebody who has one, that one
 * takes both over (spec section 11). @returns the conversation's id.
 */
export async function introduce(env: Env, carrier: Carrier, known: Known): Promise<string> {
  await joinProved(env, carrier, known);
  const id = await conversationOf(env, carrier, known.visitor);
  const person = await personOf(carrier, known);
  const own = newLink(await firstOpening(env, carrier, chatAddress(known.visitor)));
  const links = [own, ...(await otherWays(env, carrier, person))];
  const meeting = { kind: 'meet' as const, person, links, from: [] };
  await callObject(() => getConversation(env, id).rearrange(carrier.account.customerId, meeting));
  return id;
}

/**
 * All open conversations of what it has proved to be become one: the first of theirs who is known, else the visitor's own. It holds all
 * of the addresses from then on, so that whatever comes from one of them comes there.
 */
export async function joinProved(env: Env, carrier: Carrier, { visitor, proved }: Known): Promise<void> {
  const known = { visitor, proved };
  if (proved.length === 0) return;
  const { others } = await holdersOf(env, carrier, known);
  if (others.length === 0) return claimAll(env, carrier, known);
  await exclusively(env, carrier.account.customerId, async () => {
    // One that has ended meanwhile is none of them any more.
    if (!(await bringAll(env, carrier, known))) await bringAll(env, carrier, known);
    await claimAll(env, carrier, known);
  });
}

type Proved = Pick<Known, 'visitor' | 'proved'>;

/** The open conversations of what it has proved to be and of the visitor itself. */
async function holdersOf(env: Env, { account: { customerId } }: Carrier, { visitor, proved }: Proved) {
  const texts = [...proved, chatAddress(visitor)].map(addressText);
  const over = await overAmong(env, customerId, texts);
  const holders = async (addresses: string[]) =>
    (await callObject(() => getDirectory(env, customerId).holders(addresses))).filter((id) => !over.includes(id));
  const [into, ...others] = [...new Set([...(await holders(proved.map(addressText))), ...(await holders(texts))])];
  return { texts, over, into, others };
}

/** False when one of them has ended meanwhile. */
async function bringAll(env: Env, carrier: Carrier, known: Proved): Promise<boolean> {
  const { into, others } = await holdersOf(env, carrier, known);
  if (into === undefined) return true;
  for (const from of others) if (!(await bring(env, carrier, { from, into }, known))) return false;
  return true;
}

async function claimAll(env: Env, carrier: Carrier, known: Proved): Promise<void> {
  const { texts, over, into, others } = await holdersOf(env, carrier, known);
  const target = into ?? crypto.randomUUID();
  await callObject(() => getDirectory(env, carrier.account.customerId).claimFor(target, texts, [...over, ...others]));
}

/** The person of one conversation goes over to another; others who are in it stay. False when one of the two has ended. */
async function bring(
  env: Env,
  carrier: Carrier,
  move: { from: string; into: string },
  { visitor, proved }: Proved,
): Promise<boolean> {
  const { customerId } = carrier.account;
  const found = await callObject(() => getConversation(env, move.from).read(customerId));
  if (!found.ok) {
    await giveUp(env, customerId, move, [await pairName(carrier, visitor.id)]);
    return true;
  }
  const all = [...proved, chatAddress(visitor)];
  const texts = all.map(addressText);
  const theirs = found.value.participants.filter((each) =>
    each.addresses.some((one) => texts.includes(addressText(one))),
  );
  const addresses = theirs.flatMap((each) => each.addresses);
  return (await moveAddresses(env, customerId, move, addresses, all)).ok;
}
