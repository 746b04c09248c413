import type { CustomerLock } from '../contacts/lock.ts';
import { bindingsOf, bindingsTo } from '../../domain/conversation/identity/bindings.ts';
import {
  peopleOf,
  addressText,
  heldAddresses,
  isAmong,
  onePersonOf,
  type PersonUpdate,
} from '../../domain/conversation/identity/participants.ts';
import type { ConversationState, ContactAddress, ChannelBinding } from '../../domain/conversation/state.ts';
import type { Refusal } from '../../domain/errors.ts';
import { ok, type Result } from '../../domain/result.ts';
import { callObject, getConversation, getDirectory } from '../../objects/stubs.ts';

export interface Move {
  from: string;
  into: string;
}

/**
 * One conversation goes on in another, with everybody in it. Each step may be repeated; where it breaks off after the second, the
 * contact's next message finds the other one by itself (open.ts). `as`: addresses of the person in `into` that all of them are.
 * Refused when one of the two has ended meanwhile: then each stays as it was.
 */
export async function joinConversations(
  env: Env,
  lock: CustomerLock,
  { from, into }: Move,
  as: ContactAddress[],
): Promise<Result<null, Refusal>> {
  const { customerId } = lock;
  const found = await callObject(() => getConversation(env, from).read(customerId));
  if (!found.ok) return found;
  const before = found.value;
  const came = peopleOf(before);
  const attachment = {
    kind: 'attach_person' as const,
    person: onePersonOf(came, as),
    bindings: bindingsOf(before),
    merges: { from, histories: [from, ...before.mergedFrom], came },
  };
  const attached = await callObject(() => getConversation(env, into).changeMembership(customerId, attachment));
  if (!attached.ok) return attached;
  const merged = await callObject(() =>
    getConversation(env, from).changeMembership(customerId, { kind: 'merge', into }),
  );
  if (!merged.ok) {
    // `from` has ended by itself while `into` was given its people.
    await callObject(() => getConversation(env, into).changeMembership(customerId, { kind: 'split_off', from }));
    return merged;
  }
  await callObject(() => getDirectory(env, customerId).move(from, into, null));
  await advanceAll(env, bindingsOf(before), { from, into });
  return ok(null);
}

/**
 * Some addresses leave a conversation for another one, which takes them before they are released. Where they are all that it has, it
 * goes on there as a whole.
 */
export async function moveAddresses(
  env: Env,
  lock: CustomerLock,
  { from, into }: Move,
  addresses: ContactAddress[],
  as = addresses,
): Promise<Result<null, Refusal>> {
  const { customerId } = lock;
  const found = await callObject(() => getConversation(env, from).read(customerId));
  if (!found.ok) return found;
  const before = found.value;
  const texts = addresses.map(addressText);
  const isMoving = (address: ContactAddress): boolean => texts.includes(addressText(address));
  if (peopleOf(before).every((each) => heldAddresses(each).every(isMoving)))
    return joinConversations(env, lock, { from, into }, as);
  const person = movedPerson(before, addresses, as);
  const moved = { kind: 'attach_person' as const, person, bindings: [], merges: null };
  const attached = await callObject(() => getConversation(env, into).changeMembership(customerId, moved));
  // A conversation that nobody has begun yet learns of them with its first message.
  if (!attached.ok && attached.error.code !== 'CONVERSATION_NOT_FOUND') return attached;
  const release = { kind: 'release_addresses' as const, addresses };
  const released = await callObject(() => getConversation(env, from).changeMembership(customerId, release));
  if (!released.ok) return released;
  await callObject(() => getDirectory(env, customerId).move(from, into, texts));
  const bindings = addresses.flatMap((one) => bindingsTo(before, one));
  await advanceAll(env, bindings, { from, into });
  return ok(null);
}

/** A conversation that nobody has begun gives up its id for that of another one. */
export async function giveUp(env: Env, lock: CustomerLock, { from, into }: Move, names: string[]): Promise<void> {
  await callObject(() => getDirectory(env, lock.customerId).move(from, into, null));
  await Promise.all(names.map((name) => callObject(() => env.ADDRESS.getByName(name).advance(from, into))));
}

/** What comes in by these bindings goes to `into` from now on. */
export async function advanceAll(env: Env, bindings: ChannelBinding[], { from, into }: Move): Promise<void> {
  const named = bindings.filter(({ addressName }) => addressName !== '');
  await Promise.all(
    named.map(({ addressName, window }) =>
      callObject(() => env.ADDRESS.getByName(addressName).advance(from, into, window)),
    ),
  );
}

/** The people whose addresses move, as one: with those addresses, what was proved of them, and all that these people claim. */
function movedPerson(before: ConversationState, addresses: ContactAddress[], as: ContactAddress[]): PersonUpdate {
  const holders = peopleOf(before).filter((each) => heldAddresses(each).some((one) => isAmong(one, addresses)));
  const person = onePersonOf(holders, as);
  const stays = heldAddresses(person).filter((one) => !isAmong(one, [...as, ...addresses]));
  return { ...person, addresses: person.addresses.filter((one) => !stays.includes(one)) };
}
