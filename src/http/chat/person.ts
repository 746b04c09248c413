import type { ResolvedAccount } from '../accept-message.ts';
import type { Caller } from '../open-conversation.ts';
import { pairName } from '../open-conversation.ts';
import { participantOf } from '../participants.ts';
import { accountFor, firstOpening } from '../ways.ts';
import { newBinding, type ChannelBinding } from '../../domain/conversation/identity/bindings.ts';
import {
  addressText,
  claimedAddress,
  isAmong,
  type ContactAddress,
  type NewParticipant,
} from '../../domain/conversation/identity/participants.ts';
import { callObject } from '../../objects/stubs.ts';
import type { Identity } from '../../security/identity-token.ts';
import type { Visitor } from '../../security/visitor-token.ts';
import { knownAccounts } from '../../storage/accounts.ts';

export const chatAddress = ({ id }: Pick<Visitor, 'id'>): ContactAddress => ({ type: 'chat', target: id });

/** A visitor, and who it has proved to be. */
export interface Known {
  visitor: Visitor;
  /** As the site calls it, or empty. */
  name: string;
  proved: ContactAddress[];
}

export async function knownVisitor(env: Env, resolved: ResolvedAccount, visitor: Visitor): Promise<Known> {
  const name = await pairName(resolved, visitor.id);
  const proofs = await callObject(() => env.ADDRESS.getByName(name).proofs());
  return { visitor, name: proofs.name, proved: proofs.addresses };
}

/** From now on, and for good. */
export async function prove(env: Env, resolved: ResolvedAccount, visitor: Visitor, identity: Identity): Promise<Known> {
  const name = await pairName(resolved, visitor.id);
  const proofs = { name: identity.name, addresses: provedBy(identity) };
  const all = await callObject(() => env.ADDRESS.getByName(name).prove(proofs));
  return { visitor, name: all.name, proved: all.addresses };
}

export const provedBy = ({ email, phone_number }: Identity): ContactAddress[] => [
  ...(email === '' ? [] : [{ type: 'email' as const, target: email }]),
  ...(phone_number === '' ? [] : [{ type: 'tel' as const, target: phone_number }]),
];

/** A visitor as a participant. Its contact is that of what it has proved, and else its own. */
export async function personOf(
  { account }: ResolvedAccount,
  { visitor, name, proved }: Known,
): Promise<NewParticipant> {
  const address = chatAddress(visitor);
  const person = await participantOf(account.customerId, name || visitor.name, [...proved, address]);
  const isTyped =
    visitor.email !== '' && !proved.some(({ type, target }) => type === 'email' && target === visitor.email);
  const claimed = isTyped ? [claimedAddress({ type: 'email', target: visitor.email })] : [];
  const held = person.addresses.map((one) =>
    isAmong(one, proved) ? { ...one, provedBy: [addressText(address)] } : one,
  );
  return { ...person, addresses: [...held, ...claimed] };
}

/** The other ways to a visitor, as far as accounts of the customer's reach them: answers go there when it has left. */
export async function otherBindings(
  env: Env,
  { account }: ResolvedAccount,
  person: NewParticipant,
): Promise<ChannelBinding[]> {
  const others = person.addresses.filter(({ type }) => type !== 'chat');
  if (others.length === 0) return [];
  // A message is taken in also while D1 is away.
  const accounts = await knownAccounts(env, account.customerId).catch(() => []);
  const bindings = others.map(async (address) => {
    const resolved = accountFor(accounts, address);
    return resolved ? [newBinding(await firstOpening(env, resolved, address))] : [];
  });
  return (await Promise.all(bindings)).flat();
}

/** What a visitor's message brings along for its conversation. */
export async function callerOf(
  env: Env,
  resolved: ResolvedAccount,
  known: Known,
): Promise<Omit<Caller, 'peer' | 'dialogId'>> {
  const person = await personOf(resolved, known);
  return { opening: { introduction: { person, bindings: await otherBindings(env, resolved, person) } } };
}
