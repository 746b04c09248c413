import { chatAddress, otherBindings, personOf, type Known } from './person.ts';
import type { ResolvedAccount } from '../accept-message.ts';
import { withCustomerLock } from '../exclusively.ts';
import { giveUp, moveAddresses } from '../join-conversations.ts';
import { pairName } from '../open-conversation.ts';
import { overAmong } from '../voipbin/claims.ts';
import { firstOpening } from '../ways.ts';
import { newBinding } from '../../domain/conversation/identity/bindings.ts';
import { peopleOf } from '../../domain/conversation/identity/membership.ts';
import { addressText, heldAddresses, isAmong } from '../../domain/conversation/identity/participants.ts';
import { callObject, getConversation, getDirectory } from '../../objects/stubs.ts';
import type { Visitor } from '../../security/visitor-token.ts';

/** The conversation of a visitor, or else the id of the one that its first message begins. */
export async function conversationOf(env: Env, resolved: ResolvedAccount, visitor: Visitor): Promise<string> {
  const name = await pairName(resolved, visitor.id);
  const address = () => env.ADDRESS.getByName(name);
  const known = await callObject(() => address().lookup());
  if (known) return known.conversationId;
  const { customerId } = resolved.account;
  const whose = addressText(chatAddress(visitor));
  const chosen = await callObject(() => getDirectory(env, customerId).open(whose, name, crypto.randomUUID(), []));
  return (await callObject(() => address().resolve(chosen))).conversationId;
}

/**
 * What a visitor has typed or proved, told where it is: its conversation, and where it has proved to be somebody who has one, that one
 * takes both over (spec section 11). @returns the conversation's id.
 */
export async function introduce(env: Env, resolved: ResolvedAccount, known: Known): Promise<string> {
  await joinProved(env, resolved, known);
  const id = await conversationOf(env, resolved, known.visitor);
  const person = await personOf(resolved, known);
  const own = newBinding(await firstOpening(env, resolved, chatAddress(known.visitor)));
  const bindings = [own, ...(await otherBindings(env, resolved, person))];
  const meeting = { kind: 'attach_person' as const, person, bindings, merges: null };
  await callObject(() => getConversation(env, id).changeMembership(resolved.account.customerId, meeting));
  return id;
}

/**
 * All open conversations of what it has proved to be become one: the first of theirs who is known, else the visitor's own. It holds all
 * of the addresses from then on, so that whatever comes from one of them comes there.
 */
export async function joinProved(env: Env, resolved: ResolvedAccount, { visitor, proved }: Known): Promise<void> {
  const known = { visitor, proved };
  if (proved.length === 0) return;
  const { others } = await holdersOf(env, resolved, known);
  if (others.length === 0) return claimAll(env, resolved, known);
  await withCustomerLock(env, resolved.account.customerId, async () => {
    // One that has ended meanwhile is none of them any more.
    if (!(await bringAll(env, resolved, known))) await bringAll(env, resolved, known);
    await claimAll(env, resolved, known);
  });
}

type Proved = Pick<Known, 'visitor' | 'proved'>;

/** The open conversations of what it has proved to be and of the visitor itself. */
async function holdersOf(env: Env, { account: { customerId } }: ResolvedAccount, { visitor, proved }: Proved) {
  const texts = [...proved, chatAddress(visitor)].map(addressText);
  const over = await overAmong(env, customerId, texts);
  const holders = async (addresses: string[]) =>
    (await callObject(() => getDirectory(env, customerId).holders(addresses))).filter((id) => !over.includes(id));
  const [into, ...others] = [...new Set([...(await holders(proved.map(addressText))), ...(await holders(texts))])];
  return { texts, over, into, others };
}

/** False when one of them has ended meanwhile. */
async function bringAll(env: Env, resolved: ResolvedAccount, known: Proved): Promise<boolean> {
  const { into, others } = await holdersOf(env, resolved, known);
  if (into === undefined) return true;
  for (const from of others) if (!(await bring(env, resolved, { from, into }, known))) return false;
  return true;
}

async function claimAll(env: Env, resolved: ResolvedAccount, known: Proved): Promise<void> {
  const { texts, over, into, others } = await holdersOf(env, resolved, known);
  const target = into ?? crypto.randomUUID();
  await callObject(() => getDirectory(env, resolved.account.customerId).claimFor(target, texts, [...over, ...others]));
}

/** The person of one conversation goes over to another; others who are in it stay. False when one of the two has ended. */
async function bring(
  env: Env,
  resolved: ResolvedAccount,
  move: { from: string; into: string },
  { visitor, proved }: Proved,
): Promise<boolean> {
  const { customerId } = resolved.account;
  const found = await callObject(() => getConversation(env, move.from).read(customerId));
  if (!found.ok) {
    await giveUp(env, customerId, move, [await pairName(resolved, visitor.id)]);
    return true;
  }
  const all = [...proved, chatAddress(visitor)];
  const theirs = peopleOf(found.value).filter((each) => heldAddresses(each).some((one) => isAmong(one, all)));
  const addresses = theirs.flatMap(heldAddresses);
  return (await moveAddresses(env, customerId, move, addresses, all)).ok;
}
