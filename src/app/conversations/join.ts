import type { CustomerLock } from '../contacts/lock.ts';
import { bindingsOf, type ChannelBinding } from '../../domain/conversation/identity/bindings.ts';
import {
  addressText,
  type ContactAddress,
  type NewParticipant,
} from '../../domain/conversation/identity/participants.ts';
import type { ConversationState } from '../../domain/conversation/state.ts';
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
  const person = personOf(before, as);
  const attachment = {
    kind: 'attach_person' as const,
    person,
    bindings: bindingsOf(before),
    from: [from, ...before.mergedFrom],
  };
  const attached = await callObject(() => getConversation(env, into).changeMembership(customerId, attachment));
  if (!attached.ok) return attached;
  const merged = await callObject(() =>
    getConversation(env, from).changeMembership(customerId, { kind: 'merge', into }),
  );
  if (!merged.ok) {
    await splitOffAgain(env, customerId, into, before);
    return merged;
  }
  await callObject(() => getDirectory(env, customerId).move(from, into, null));
  await advanceAll(env, bindingsOf(before), { from, into });
  return ok(null);
}

/** `from` has ended by itself while `into` was given its people. */
async function splitOffAgain(env: Env, customerId: string, into: string, before: ConversationState): Promise<void> {
  const { id, mergedFrom, participants: came } = before;
  const addresses = came.flatMap((each) => each.addresses);
  const split = { kind: 'split_off' as const, from: [id, ...mergedFrom], addresses, people: { here: [], came } };
  await callObject(() => getConversation(env, into).changeMembership(customerId, split));
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
  if (before.participants.every((each) => each.addresses.every(isMoving)))
    return joinConversations(env, lock, { from, into }, as);
  const moved = { kind: 'attach_person' as const, person: movedPerson(before, texts, as), bindings: [], from: [] };
  const attached = await callObject(() => getConversation(env, into).changeMembership(customerId, moved));
  // A conversation that nobody has begun yet learns of them with its first message.
  if (!attached.ok && attached.error.code !== 'CONVERSATION_NOT_FOUND') return attached;
  const release = { kind: 'release_addresses' as const, addresses };
  const released = await callObject(() => getConversation(env, from).changeMembership(customerId, release));
  if (!released.ok) return released;
  await callObject(() => getDirectory(env, customerId).move(from, into, texts));
  const bindings = bindingsOf(before).filter(({ peer }) => isMoving(peer));
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

function personOf({ participants }: ConversationState, as: ContactAddress[]): NewParticipant {
  const [first] = participants;
  return {
    id: first?.id ?? crypto.randomUUID(),
    contactId: first?.contactId ?? crypto.randomUUID(),
    name: first?.name ?? '',
    preferredChannel: '',
    addresses: [...as, ...participants.flatMap(({ addresses }) => addresses)],
    unverified: participants.flatMap(({ unverified }) => unverified ?? []),
    // What is joined on purpose is not assumed any more.
    assumed: participants
      .flatMap(({ assumed }) => assumed ?? [])
      .filter((text) => !as.some((one) => addressText(one) === text)),
    proofs: Object.fromEntries(participants.flatMap(({ proofs }) => Object.entries(proofs ?? {}))),
  };
}

/** Those of a person's addresses that move, with what its visitors have proved. */
function movedPerson(before: ConversationState, texts: string[], as: ContactAddress[]): NewParticipant {
  const holders = before.participants.filter((each) => each.addresses.some((one) => texts.includes(addressText(one))));
  const person = personOf({ ...before, participants: holders }, as);
  return { ...person, addresses: [...as, ...person.addresses.filter((one) => texts.includes(addressText(one)))] };
}
