import type { Carrier } from '../accept-message.ts';
import type { Caller } from '../open-conversation.ts';
import { participantOf } from '../participants.ts';
import { carrierFor, firstOpening } from '../ways.ts';
import { newLink, type Link } from '../../domain/conversation/links.ts';
import { addressText, type ContactAddress, type NewParticipant } from '../../domain/conversation/participants.ts';
import type { Visitor } from '../../security/visitor-token.ts';
import { knownAccounts } from '../../storage/accounts.ts';

export const chatAddress = ({ id }: Visitor): ContactAddress => ({ type: 'chat', target: id });

/** What the site has vouched for. */
export const provedAddresses = ({ identity }: Visitor): ContactAddress[] => [
  ...(identity?.email ? [{ type: 'email' as const, target: identity.email }] : []),
  ...(identity?.phone_number ? [{ type: 'tel' as const, target: identity.phone_number }] : []),
];

/** A visitor as a participant. Its contact is that of what it has proved, and else its own. */
export async function personOf({ account }: Carrier, visitor: Visitor): Promise<NewParticipant> {
  const proved = provedAddresses(visitor);
  const address = chatAddress(visitor);
  const name = visitor.identity?.name || visitor.name;
  const person = await participantOf(account.customerId, name, [...proved, address]);
  const isTyped = visitor.email !== '' && visitor.email !== visitor.identity?.email;
  const unverified: ContactAddress[] = isTyped ? [{ type: 'email', target: visitor.email }] : [];
  return { ...person, unverified, trusted: proved.length > 0 ? [addressText(address)] : [] };
}

/** The other ways to a visitor, as far as accounts of the customer's reach them: answers go there when it has left. */
export async function otherWays(env: Env, { account }: Carrier, person: NewParticipant): Promise<Link[]> {
  const others = [...person.addresses, ...(person.unverified ?? [])].filter(({ type }) => type !== 'chat');
  if (others.length === 0) return [];
  // A message is taken in also while D1 is away.
  const accounts = await knownAccounts(env, account.customerId).catch(() => []);
  const links = others.map(async (address) => {
    const carrier = carrierFor(accounts, address);
    return carrier ? [newLink(await firstOpening(env, carrier, address))] : [];
  });
  return (await Promise.all(links)).flat();
}

/** What a visitor's message brings along for its conversation. */
export async function callerOf(
  env: Env,
  carrier: Carrier,
  visitor: Visitor,
): Promise<Omit<Caller, 'peer' | 'dialogId'>> {
  const person = await personOf(carrier, visitor);
  const also = await otherWays(env, carrier, person);
  return { opening: { participants: [person], also, tellsOfPerson: true } };
}
