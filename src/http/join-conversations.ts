import { valueOf } from './errors.ts';
import type { Refusal } from '../domain/errors.ts';
import { bindingsOf, type ChannelBinding } from '../domain/conversation/identity/bindings.ts';
import { peopleOf } from '../domain/conversation/identity/membership.ts';
import {
  addressText,
  heldAddresses,
  isAmong,
  onePersonOf,
  type ContactAddress,
  type PersonDetails,
} from '../domain/conversation/identity/participants.ts';
import type { ConversationState } from '../domain/conversation/state.ts';
import { ok, type Result } from '../domain/result.ts';
import { callObject, getConversation, getDirectory } from '../objects/stubs.ts';

interface Move {
  from: string;
  into: string;
}

/**
 * One conversation goes on in another, with everybody in it. Each step may be repeated; where it breaks off after the second, the
 * contact's next message finds the way by itself (open-conversation.ts). `as`: addresses in `into` of the person that all of them are.
 * Only to be called by one at a time (exclusively.ts). Refused when one of them has ended meanwhile: then each stays as it was.
 */
export async function joinConversations(
  env: Env,
  customerId: string,
  { from, into }: Move,
  as: ContactAddress[],
): Promise<Result<null, Refusal>> {
  const before = valueOf(await callObject(() => getConversation(env, from).read(customerId)));
  const came = peopleOf(before);
  const meeting = {
    kind: 'attach_person' as const,
    person: onePersonOf(came, as),
    bindings: bindingsOf(before),
    merges: { from, histories: [from, ...before.mergedFrom], came },
  };
  const met = await callObject(() => getConversation(env, into).changeMembership(customerId, meeting));
  if (!met.ok) return met;
  const merged = await callObject(() =>
    getConversation(env, from).changeMembership(customerId, { kind: 'merge', into }),
  );
  if (!merged.ok) {
    // It has ended by itself while the other one was told of its people.
    await callObject(() => getConversation(env, into).changeMembership(customerId, { kind: 'split_off', from }));
    return merged;
  }
  await callObject(() => getDirectory(env, customerId).move(from, into, null));
  await advanceAll(env, bindingsOf(before), { from, into });
  return ok(null);
}

/** What comes in by these ways goes there from now on. */
export async function advanceAll(env: Env, bindings: ChannelBinding[], { from, into }: Move): Promise<void> {
  const named = bindings.filter(({ addressName }) => addressName !== '');
  await Promise.all(
    named.map(({ addressName, window }) =>
      callObject(() => env.ADDRESS.getByName(addressName).advance(from, into, window)),
    ),
  );
}

/** Some addresses leave a conversation for another one, which takes them afterwards. All that it has: it goes on there as a whole. */
export async function moveAddresses(
  env: Env,
  customerId: string,
  { from, into }: Move,
  addresses: ContactAddress[],
  as = addresses,
): Promise<Result<null, Refusal>> {
  const before = valueOf(await callObject(() => getConversation(env, from).read(customerId)));
  const texts = addresses.map(addressText);
  const isMoving = (address: ContactAddress): boolean => texts.includes(addressText(address));
  if (peopleOf(before).every((each) => heldAddresses(each).every(isMoving)))
    return joinConversations(env, customerId, { from, into }, as);
  const moved = {
    kind: 'attach_person' as const,
    person: movedPerson(before, addresses, as),
    bindings: [],
    merges: null,
  };
  const met = await callObject(() => getConversation(env, into).changeMembership(customerId, moved));
  // One that nobody has begun yet is told of them with its first message.
  if (!met.ok && met.error.code !== 'CONVERSATION_NOT_FOUND') return met;
  valueOf(
    await callObject(() =>
      getConversation(env, from).changeMembership(customerId, { kind: 'release_addresses', addresses }),
    ),
  );
  await callObject(() => getDirectory(env, customerId).move(from, into, texts));
  const bindings = bindingsOf(before).filter(({ peer }) => isMoving(peer));
  await advanceAll(env, bindings, { from, into });
  return ok(null);
}

/** The people whose addresses move, as one: with those addresses, with what its visitors have proved of them, and with all that it claims. */
function movedPerson(before: ConversationState, addresses: ContactAddress[], as: ContactAddress[]): PersonDetails {
  const holders = peopleOf(before).filter((each) => heldAddresses(each).some((one) => isAmong(one, addresses)));
  const person = onePersonOf(holders, as);
  const stays = heldAddresses(person).filter((one) => !isAmong(one, [...as, ...addresses]));
  return { ...person, addresses: person.addresses.filter((one) => !stays.includes(one)) };
}

/** One that nobody has begun: its ids are given up for those of another. */
export async function giveUp(env: Env, customerId: string, { from, into }: Move, names: string[]): Promise<void> {
  await callObject(() => getDirectory(env, customerId).move(from, into, null));
  await Promise.all(names.map((name) => callObject(() => env.ADDRESS.getByName(name).advance(from, into))));
}
